#include "crypto/key_file.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <unordered_set>

#include "base/codes/crypto.hpp"
#include "crypto/hash.hpp"

namespace postern::crypto {
namespace {

constexpr std::string_view kFirstLine = "postern-keys 1";
constexpr std::string_view kNoWrapping = "-";

using Fields = std::vector<std::string_view>;

Fields split(std::string_view line, char separator) {
  Fields fields;
  while (true) {
    const std::size_t end = line.find(separator);
    fields.push_back(line.substr(0, end));
    if (end == std::string_view::npos) return fields;
    line.remove_prefix(end + 1);
  }
}

template <typename T>
bool read_number(std::string_view text, T& number, int base = 10) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  return error == std::errc{} && end == text.data() + text.size() && !text.empty();
}

bool read_tenant(std::string_view text, TenantId& tenant) {
  tenant = TenantId::none();
  if (text == tenant.text()) return true;
  auto parsed = TenantId::parse(text);
  if (parsed) tenant = *parsed;
  return parsed.has_value();
}

std::string_view state_name(KeyRecord::State state) {
  if (state == KeyRecord::State::kCurrent) return "current";
  return state == KeyRecord::State::kOld ? "old" : "shredded";
}

// The readers below take one line each. They may be lenient in spelling: the caller compares the
// whole text with what would be written.
bool read_root(const Fields& f, KeyFile& file) {
  if (f.size() == 2 && f[0] == "root" && f[1] == "key-file") return true;
  if (f.size() != 5 || f[0] != "root" || f[1] != "passphrase") return false;
  file.root = RootKeySource::Kind::kPassphraseFile;
  const auto salt = from_hex(f[4]);
  if (!salt) return false;
  file.stretch.salt = *salt;
  return read_number(f[2], file.stretch.cost.operations) &&
         read_number(f[3], file.stretch.cost.memory_bytes);
}

bool read_tenant_line(const Fields& f, KeyFile& file) {
  if (f.size() != 5) return false;
  TenantRecord record;
  record.shredded = f[2] == "shredded";
  record.wrapped_kek = f[4];
  if (!read_tenant(f[1], record.tenant) || !read_number(f[3], record.created)) return false;
  if (record.shredded != (record.wrapped_kek == kNoWrapping)) return false;
  file.tenants.push_back(std::move(record));
  return true;
}

bool read_key_line(const Fields& f, KeyFile& file) {
  if (f.size() != 7) return false;
  KeyRecord record;
  record.purpose = f[3] == purpose_name(KeyPurpose::kDeterministic) ? KeyPurpose::kDeterministic
                                                                    : KeyPurpose::kRandomized;
  record.state = f[4] == "current"    ? KeyRecord::State::kCurrent
                 : f[4] == "shredded" ? KeyRecord::State::kShredded
                                      : KeyRecord::State::kOld;
  record.wrapped_dek = f[6];
  const bool shredded = record.state == KeyRecord::State::kShredded;
  if (!read_number(f[1], record.id, 16) || !read_tenant(f[2], record.tenant) ||
      !read_number(f[5], record.created) || shredded != (record.wrapped_dek == kNoWrapping)) {
    return false;
  }
  file.keys.push_back(std::move(record));
  return true;
}

bool read_records(const Fields& lines, std::size_t first, KeyFile& file) {
  for (std::size_t i = first; i < lines.size(); ++i) {
    const Fields f = split(lines[i], ' ');
    const bool understood = f[0] == "tenant" ? read_tenant_line(f, file)
                            : f[0] == "key"  ? read_key_line(f, file)
                                             : false;
    if (!understood) return false;
  }
  return true;
}

std::optional<KeyFile> read_body(std::string_view body) {
  constexpr std::size_t kFixedLines = 5;
  if (body.empty() || body.back() != '\n') return std::nullopt;
  const Fields lines = split(body.substr(0, body.size() - 1), '\n');
  if (lines.size() < kFixedLines || lines[0] != kFirstLine) return std::nullopt;
  const Fields store = split(lines[1], ' ');
  const Fields generation = split(lines[2], ' ');
  const Fields check = split(lines[4], ' ');
  if (store.size() != 2 || generation.size() != 2 || check.size() != 2) return std::nullopt;
  KeyFile file;
  const auto uuid = parse_uuid(store[1]);
  if (!uuid) return std::nullopt;
  file.store = *uuid;
  file.root_check = check[1];
  const bool understood = read_number(generation[1], file.generation) &&
                          read_root(split(lines[3], ' '), file) &&
                          read_records(lines, kFixedLines, file);
  return understood ? std::optional(std::move(file)) : std::nullopt;
}

// Every key has a tenant of matching state, ids are unique and not 0, tenants too.
bool is_consistent(const KeyFile& file) {
  std::unordered_set<std::string_view> active;
  std::unordered_set<std::string_view> seen;
  for (const TenantRecord& t : file.tenants) {
    if (!seen.insert(t.tenant.text()).second) return false;
    if (!t.shredded) active.insert(t.tenant.text());
  }
  std::unordered_set<KeyId> ids;
  return std::all_of(file.keys.begin(), file.keys.end(), [&](const KeyRecord& k) {
    const bool live = k.state != KeyRecord::State::kShredded;
    return k.id != 0 && ids.insert(k.id).second && seen.contains(k.tenant.text()) &&
           live == active.contains(k.tenant.text());
  });
}

// Cuts "NAME VALUE\n" off the end of the text.
std::optional<std::string_view> cut_last_line(std::string_view& text, std::string_view name) {
  if (text.empty() || text.back() != '\n') return std::nullopt;
  const std::size_t before = text.rfind('\n', text.size() - 2);
  if (text.size() < 2 || before == std::string_view::npos) return std::nullopt;
  std::string_view line = text.substr(before + 1, text.size() - before - 2);
  if (!line.starts_with(name)) return std::nullopt;
  line.remove_prefix(name.size());
  text = text.substr(0, before + 1);
  return line;
}

Error corrupt(std::string_view what) {
  return make_error(pst::kKeyFileCorrupt, std::string(what));
}

}  // namespace

const TenantRecord* KeyFile::find(const TenantId& tenant) const {
  const auto it = std::find_if(tenants.begin(), tenants.end(),
                               [&](const TenantRecord& t) { return t.tenant == tenant; });
  return it == tenants.end() ? nullptr : &*it;
}

TenantRecord* KeyFile::find(const TenantId& tenant) {
  return const_cast<TenantRecord*>(std::as_const(*this).find(tenant));
}

std::string_view purpose_name(KeyPurpose purpose) {
  return purpose == KeyPurpose::kRandomized ? "randomized" : "deterministic";
}

std::string body_text(const KeyFile& file) {
  std::string out(kFirstLine);
  out += "\nstore " + to_text(file.store);
  out += "\ngeneration " + std::to_string(file.generation);
  if (file.root == RootKeySource::Kind::kKeyFile) {
    out += "\nroot key-file";
  } else {
    out += "\nroot passphrase " + std::to_string(file.stretch.cost.operations) + " " +
           std::to_string(file.stretch.cost.memory_bytes) + " " + to_hex(file.stretch.salt);
  }
  out += "\nroot-check " + file.root_check + "\n";
  for (const TenantRecord& t : file.tenants) {
    out += "tenant " + t.tenant.text() + (t.shredded ? " shredded " : " active ") +
           std::to_string(t.created) + " " + t.wrapped_kek + "\n";
  }
  for (const KeyRecord& k : file.keys) {
    char id[4];
    store_be32(id, k.id);
    out += "key " + to_hex({id, sizeof id}) + " " + k.tenant.text() + " ";
    out.append(purpose_name(k.purpose)).append(" ").append(state_name(k.state));
    out += " " + std::to_string(k.created) + " " + k.wrapped_dek + "\n";
  }
  return out;
}

std::string file_text(const KeyFile& file, std::string_view mac) {
  std::string out = body_text(file);
  out.append("mac ").append(mac).append("\n");
  out += "sum " + to_hex(sha256(out).view()) + "\n";
  return out;
}

Result<KeyFile> parse_key_file(std::string_view text) {
  const std::string_view whole = text;
  const auto sum = cut_last_line(text, "sum ");
  if (!sum || *sum != to_hex(sha256(text).view())) return corrupt("checksum");
  const auto mac = cut_last_line(text, "mac ");
  if (!mac) return corrupt("no mac");
  auto file = read_body(text);
  if (!file || !is_consistent(*file)) return corrupt("records");
  file->mac = *mac;
  if (file_text(*file, *mac) != whole) return corrupt("spelling");
  return std::move(*file);
}

}  // namespace postern::crypto
