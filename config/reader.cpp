#include "config/reader.hpp"

#include <algorithm>
#include <utility>

#include "base/codes/config.hpp"
#include "config/assign.hpp"

namespace postern::config {
namespace {

constexpr std::size_t kMaxNameBytes = 63;

std::string child(const std::string& path, const std::string& name) {
  return path.empty() ? name : path + "." + name;
}

const KeyRow* find_row(const KeyRows& rows, std::string_view name) {
  const auto it =
      std::find_if(rows.begin(), rows.end(), [&](const KeyRow& row) { return row.name == name; });
  return it == rows.end() ? nullptr : &*it;
}

/// The field a secret row fills, nullptr for other rows.
const Secret* secret_target(const Slot& slot) {
  if (const auto* key = std::get_if<SecretKey>(&slot)) return key->value;
  if (const auto* key = std::get_if<SecretFileKey>(&slot)) return key->value;
  return nullptr;
}

}  // namespace

void Reader::fail(Pst code, const Node& node, const std::string& path, std::string reason) {
  if (errors_.size() >= kMaxErrors) return;
  const std::string place = Where{file_, node.line}.text() + ": ";
  errors_.push_back(make_error(code, place + (path.empty() ? "" : path + ": ") + reason));
}

bool Reader::claim(const std::string& path, const Node& node) {
  const auto [it, fresh] = origins_.try_emplace(path, Where{file_, node.line});
  if (fresh) return true;
  fail(pst::kConfigConflict, node, path, "already set at " + it->second.text());
  return false;
}

void Reader::read_file(const Node& root, const KeyRows& rows, const std::string& file) {
  file_ = file;
  for (const auto& [name, node] : root.members) read_member(name, node, rows, "");
}

void Reader::check_required() {
  for (const auto& [path, names] : required_) {
    for (const std::string& name : names) {
      if (origins_.contains(child(path, name))) continue;
      const Where& where = origins_.at(path);
      if (errors_.size() >= kMaxErrors) return;
      errors_.push_back(
          make_error(pst::kConfigMissingKey, where.text() + ": " + child(path, name)));
    }
  }
}

std::vector<Include> Reader::take_includes() {
  return std::exchange(includes_, {});
}

void Reader::read_table(const Node& table, const KeyRows& rows, const std::string& path) {
  origins_.try_emplace(path, Where{file_, table.line});
  auto& required = required_[path];
  required.clear();
  for (const KeyRow& row : rows) {
    if (row.need == Need::kRequired) required.emplace_back(row.name);
  }
  for (const auto& [name, node] : table.members) read_member(name, node, rows, path);
  check_secrets(rows, path);
}

void Reader::read_member(const std::string& name, const Node& node, const KeyRows& rows,
                         const std::string& path) {
  const KeyRow* row = find_row(rows, name);
  if (row == nullptr) return unknown_key(name, node, rows, path);
  std::visit([&](const auto& key) { read(*row, key, node, child(path, name)); }, row->slot);
}

void Reader::unknown_key(const std::string& name, const Node& node, const KeyRows& rows,
                         const std::string& path) {
  std::vector<std::string_view> names;
  for (const KeyRow& row : rows) names.push_back(row.name);
  const auto nearest = nearest_word(name, names.data(), names.data() + names.size());
  std::string reason = path.empty() ? "there is no such section" : "there is no such key";
  if (!nearest.empty()) reason += "; did you mean \"" + std::string(nearest) + "\"?";
  fail(pst::kConfigUnknownKey, node, child(path, name), std::move(reason));
}

void Reader::check_secrets(const KeyRows& rows, const std::string& path) {
  for (const KeyRow& row : rows) {
    const auto* from_file = std::get_if<SecretFileKey>(&row.slot);
    if (from_file == nullptr) continue;
    const auto file_origin = origins_.find(child(path, std::string(row.name)));
    if (file_origin == origins_.end()) continue;
    for (const KeyRow& other : rows) {
      if (&other == &row || secret_target(other.slot) != from_file->value) continue;
      if (!origins_.contains(child(path, std::string(other.name)))) continue;
      Node at;
      at.line = file_origin->second.line;
      fail(pst::kConfigConflict, at, child(path, std::string(row.name)),
           "\"" + std::string(other.name) + "\" is given too");
    }
  }
}

void Reader::read(const KeyRow&, const TableKey& key, const Node& node, const std::string& path) {
  if (node.kind != Node::Kind::kTable) {
    return fail(pst::kConfigBadValue, node, path,
                "expected a section, found " + std::string(node.kind_name()));
  }
  read_table(node, key.enter(), path);
}

void Reader::read(const KeyRow&, const NamedKey& key, const Node& node, const std::string& path) {
  if (node.kind != Node::Kind::kTable) {
    return fail(pst::kConfigBadValue, node, path,
                "expected sections [" + path + ".NAME], found " + std::string(node.kind_name()));
  }
  for (const auto& [name, member] : node.members) {
    if (member.kind != Node::Kind::kTable) {
      fail(pst::kConfigBadValue, member, child(path, name),
           "expected a section [" + path + ".NAME]: the name is missing");
    } else if (name.empty() || name.size() > kMaxNameBytes ||
               name.find('\0') != std::string::npos) {
      fail(pst::kConfigBadValue, member, path, "a name has 1 to 63 bytes");
    } else {
      read_table(member, key.enter(name), child(path, name));
    }
  }
}

void Reader::read(const KeyRow&, const ListKey& key, const Node& node, const std::string& path) {
  if (node.kind != Node::Kind::kArray) {
    return fail(pst::kConfigBadValue, node, path,
                "expected [[" + path + "]], found " + std::string(node.kind_name()));
  }
  for (const Node& item : node.items) {
    const std::string item_path = path + "[" + std::to_string(key.size()) + "]";
    if (item.kind != Node::Kind::kTable) {
      fail(pst::kConfigBadValue, item, item_path,
           "expected a section, found " + std::string(item.kind_name()));
      continue;
    }
    read_table(item, key.append(), item_path);
  }
}

void Reader::read(const KeyRow&, const IncludeKey&, const Node& node, const std::string& path) {
  std::vector<std::string> files;
  const Context context{file_, environment_};
  if (const auto status = assign(TextsKey{&files}, node, context); !status) {
    return fail(status.error().code, node, path, status.error().what);
  }
  for (const std::string& file : files) {
    includes_.push_back({{resolve_path(file, file_)}, {file_, node.line}});
  }
}

template <typename Key>
void Reader::read(const KeyRow&, const Key& key, const Node& node, const std::string& path) {
  if (!claim(path, node)) return;
  const Context context{file_, environment_};
  if (const auto status = assign(key, node, context); !status) {
    fail(status.error().code, node, path, status.error().what);
  }
}

}  // namespace postern::config
