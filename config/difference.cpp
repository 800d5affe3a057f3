#include "config/difference.hpp"

#include <algorithm>
#include <optional>

#include "config/assign.hpp"
#include "config/key_text.hpp"
#include "crypto/hash.hpp"

namespace postern::config {
namespace {

constexpr std::size_t kMaxMarkedBytes = 4u << 20;
constexpr std::string_view kAbsent = "absent";
constexpr std::string_view kPresent = "present";

/// One value at one path.
struct Leaf {
  std::string text;
  std::optional<ByteView> secret;  ///< instead of `text`: compared, never shown
  const FilePath* file = nullptr;
  Reload reload = Reload::kYes;
};

using Leaves = std::map<std::string, Leaf, std::less<>>;

class Flattener {
 public:
  explicit Flattener(Leaves& out) : out_(out) {}

  void walk(const KeyRows& rows, const std::string& prefix) {
    for (const KeyRow& row : rows) {
      const std::string path =
          prefix.empty() ? std::string(row.name) : prefix + "." + std::string(row.name);
      std::visit([&](const auto& key) { take(row, key, path); }, row.slot);
    }
  }

 private:
  void section(const KeyRow& row, const std::string& path, const KeyRows& rows) {
    out_.emplace(path, Leaf{std::string(kPresent), {}, nullptr, row.reload});
    walk(rows, path);
  }
  void take(const KeyRow& row, const TableKey& key, const std::string& path) {
    if (key.present()) section(row, path, key.enter());
  }
  void take(const KeyRow& row, const NamedKey& key, const std::string& path) {
    for (const std::string& name : key.names()) section(row, path + "." + name, key.enter(name));
  }
  void take(const KeyRow& row, const ListKey& key, const std::string& path) {
    for (std::size_t i = 0; i < key.size(); ++i) {
      section(row, path + "[" + std::to_string(i) + "]", key.at(i));
    }
  }
  void take(const KeyRow& row, const SecretKey& key, const std::string& path) {
    out_.emplace(path, Leaf{"", key.value->reveal(), nullptr, row.reload});
  }
  void take(const KeyRow& row, const PathKey& key, const std::string& path) {
    out_.emplace(path, Leaf{value_text(key), {}, key.value, row.reload});
  }
  // Another way to write a secret that has a row of its own.
  void take(const KeyRow&, const SecretFileKey&, const std::string&) {}
  void take(const KeyRow&, const IncludeKey&, const std::string&) {}
  template <typename Key>
  void take(const KeyRow& row, const Key& key, const std::string& path) {
    out_.emplace(path, Leaf{value_text(key), {}, nullptr, row.reload});
  }

  Leaves& out_;
};

// Rows point at fields so that files can be read into them; nothing writes through these.
KeyRows rows_of(const Config& config) {
  auto& fields = const_cast<Config&>(config);
  KeyRows rows = keys_of(fields);
  for (KeyRow& row : users_keys(fields)) rows.push_back(std::move(row));
  return rows;
}

Leaves flatten(const Config& config) {
  Leaves leaves;
  Flattener(leaves).walk(rows_of(config), "");
  return leaves;
}

/// The section `path` lies in: "a.b.c" -> "a.b", "a[0].b" -> "a[0]".
std::string parent_of(const std::string& path) {
  const std::size_t dot = path.rfind('.');
  return dot == std::string::npos ? "" : path.substr(0, dot);
}

bool is_within(const std::string& path, std::string_view prefix) {
  if (!path.starts_with(prefix)) return false;
  return path.size() == prefix.size() || path[prefix.size()] == '.' || path[prefix.size()] == '[';
}

std::string shown(const Leaf& leaf) {
  if (!leaf.secret) return leaf.text;
  return leaf.secret->empty() ? "not set" : "secret";
}

class Comparison {
 public:
  Comparison(const Config& before, const Config& after)
      : before_(flatten(before)), after_(flatten(after)) {}

  std::vector<KeyChange> run(const FileMarks& before_files, const FileMarks& after_files) {
    for (const auto& [path, leaf] : before_) {
      const auto now = after_.find(path);
      if (now == after_.end()) {
        lone(path, leaf, after_, {shown(leaf), std::string(kAbsent)});
      } else if (leaf.secret) {
        if (*leaf.secret != *now->second.secret) {
          add(path, leaf.reload, shown(leaf), shown(now->second) + " (changed)");
        }
      } else if (leaf.text != now->second.text) {
        add(path, leaf.reload, leaf.text, now->second.text);
      } else if (leaf.file != nullptr && content_changed(path, before_files, after_files)) {
        add(path, leaf.reload, leaf.text, "other content");
      }
    }
    for (const auto& [path, leaf] : after_) {
      if (before_.contains(path)) continue;
      lone(path, leaf, before_, {std::string(kAbsent), shown(leaf)});
    }
    std::sort(changes_.begin(), changes_.end(),
              [](const KeyChange& a, const KeyChange& b) { return a.key < b.key; });
    return std::move(changes_);
  }

 private:
  static bool content_changed(const std::string& path, const FileMarks& before,
                              const FileMarks& after) {
    const auto was = before.find(path);
    const auto now = after.find(path);
    if (was == before.end() || now == after.end()) return false;
    return was->second != now->second;
  }

  void add(std::string path, Reload reload, std::string before, std::string after) {
    changes_.push_back({std::move(path), std::move(before), std::move(after), reload});
  }

  // On one side only. What lies in a section that is absent on the other side goes with it.
  void lone(const std::string& path, const Leaf& leaf, const Leaves& other,
            std::pair<std::string, std::string> texts) {
    const std::string parent = parent_of(path);
    const bool section_there = parent.empty() || other.contains(parent) || !is_leaf(parent);
    if (!section_there) return;
    add(path, leaf.reload, std::move(texts.first), std::move(texts.second));
  }
  // "cluster" of "cluster.main" is no section by itself.
  [[nodiscard]] bool is_leaf(const std::string& path) const {
    return before_.contains(path) || after_.contains(path);
  }

  Leaves before_;
  Leaves after_;
  std::vector<KeyChange> changes_;
};

template <typename Map>
NameChanges compare_names(const Map& before, const Map& after, std::string_view section,
                          const std::vector<KeyChange>& keys) {
  NameChanges out;
  for (const auto& [name, options] : before) {
    const std::string path = std::string(section) + "." + name;
    const auto below = [&](const KeyChange& change) { return is_within(change.key, path); };
    if (!after.contains(name)) {
      out.removed.insert(name);
    } else if (std::any_of(keys.begin(), keys.end(), below)) {
      out.changed.insert(name);
    }
  }
  for (const auto& [name, options] : after) {
    if (!before.contains(name)) out.added.insert(name);
  }
  return out;
}

}  // namespace

std::string KeyChange::text() const {
  const bool restart = reload == Reload::kNo;
  return key + ": " + before + " -> " + after + (restart ? " (needs a restart)" : "");
}

bool Difference::touches(std::string_view prefix) const {
  return std::any_of(keys.begin(), keys.end(),
                     [&](const KeyChange& change) { return is_within(change.key, prefix); });
}

FileMarks file_marks(const Config& config) {
  FileMarks marks;
  for (const auto& [path, leaf] : flatten(config)) {
    const bool taken = leaf.file != nullptr && !leaf.file->empty() && leaf.reload == Reload::kYes;
    // What the users file says is compared key by key.
    if (!taken || path == "auth.users_file") continue;
    Result<Bytes> content = read_whole_file(leaf.file->path, kMaxMarkedBytes);
    if (!content) continue;
    marks.emplace(path, to_hex(crypto::sha256(*content).view()));
    wipe(*content);
  }
  return marks;
}

Difference difference(const Config& before, const Config& after, const FileMarks& before_files,
                      const FileMarks& after_files) {
  Difference out;
  out.keys = Comparison(before, after).run(before_files, after_files);
  out.clusters = compare_names(before.clusters, after.clusters, "cluster", out.keys);
  out.databases = compare_names(before.databases, after.databases, "database", out.keys);
  out.users = compare_names(before.users, after.users, "user", out.keys);
  return out;
}

}  // namespace postern::config
