#include "config/assign.hpp"

#include <algorithm>
#include <filesystem>

#include "base/codes/config.hpp"
#include "config/values.hpp"

namespace postern::config {
namespace {

constexpr std::size_t kMaxListItems = 10'000;

Error bad(std::string reason) {
  return make_error(pst::kConfigBadValue, std::move(reason));
}

Error wrong_type(std::string_view expected, const Node& node) {
  return bad("expected " + std::string(expected) + ", found " + std::string(node.kind_name()));
}

Error out_of_range(const std::string& value, const std::string& min, const std::string& max) {
  return bad(value + " is outside " + min + " to " + max);
}

/// A text as an error message may show it: short, printable, quoted.
std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  for (const char c : text.substr(0, 60)) out += c >= ' ' && c != 127 ? c : '?';
  return out + (text.size() > 60 ? "…\"" : "\"");
}

Status check_text(const Node& node, std::size_t max_bytes) {
  if (node.kind != Node::Kind::kText) return wrong_type("a string", node);
  if (node.text.size() > max_bytes) {
    return bad("is longer than " + std::to_string(max_bytes) + " bytes");
  }
  if (node.text.find('\0') != std::string::npos) return bad("holds a zero byte");
  if (mentions_variable(node.text)) return bad("${NAME} is replaced in passwords only");
  return ok();
}

Status check_list(const Node& node) {
  if (node.kind != Node::Kind::kArray) return wrong_type("a list", node);
  if (node.items.size() > kMaxListItems) {
    return bad("has more than " + std::to_string(kMaxListItems) + " entries");
  }
  return ok();
}

Result<HostPort> node_of(const Node& node) {
  POSTERN_TRY(check_text(node, 300));
  auto parsed = parse_node(node.text);
  if (!parsed) return bad(in_quotes(node.text) + " is not \"host:port\" or a folder of a socket");
  return std::move(*parsed);
}

Result<HostPort> host_port_of(const Node& node) {
  POSTERN_TRY(check_text(node, 300));
  auto parsed = parse_host_port(node.text);
  if (!parsed) return bad(in_quotes(node.text) + " is not \"host:port\"");
  return std::move(*parsed);
}

Result<TenantId> tenant_of(const Node& node) {
  POSTERN_TRY(check_text(node, 1024));
  auto tenant = TenantId::parse(node.text);
  if (!tenant) {
    return bad(in_quotes(node.text) + " is not a tenant: 1 to 63 of letters, digits, _ . -");
  }
  return tenant;
}

Status check_role_name(const std::string& role) {
  constexpr std::string_view kPrefix = "profile:";
  if (!role.starts_with(kPrefix)) return ok();
  const std::string_view wanted = std::string_view(role).substr(kPrefix.size());
  const auto names = profile_names().subspan(1);  // "default" is nobody's profile in the end
  if (std::find(names.begin(), names.end(), wanted) != names.end()) return ok();
  return bad(in_quotes(role) + " names no profile");
}

Result<RoleAccess> role_access(const std::string& role, const Node& node) {
  POSTERN_TRY(check_role_name(role));
  POSTERN_TRY(check_text(node, 100));
  constexpr std::string_view kMask = "mask:";
  if (node.text.starts_with(kMask)) {
    const std::string mask = node.text.substr(kMask.size());
    const auto masks = mask_names();
    if (std::find(masks.begin(), masks.end(), mask) == masks.end()) {
      return bad("there is no mask " + in_quotes(mask));
    }
    return RoleAccess{role, Access::kMask, mask};
  }
  const auto names = access_names();
  const auto it = std::find(names.begin(), names.end(), node.text);
  if (it == names.end()) {
    return bad(in_quotes(node.text) + " is none of decrypt, mask, mask:NAME, ciphertext, deny");
  }
  return RoleAccess{role, static_cast<Access>(it - names.begin()), ""};
}

std::string join(std::span<const std::string_view> names) {
  std::string out;
  for (const auto name : names) out.append(out.empty() ? "" : ", ").append(name);
  return out;
}

}  // namespace

Status assign(const FlagKey& key, const Node& node, const Context&) {
  if (node.kind != Node::Kind::kBoolean) return wrong_type("true or false", node);
  *key.value = node.boolean;
  return ok();
}

Status assign(const NumberKey& key, const Node& node, const Context&) {
  if (node.kind != Node::Kind::kInteger) return wrong_type("an integer", node);
  if (node.integer < key.min || node.integer > key.max) {
    return out_of_range(std::to_string(node.integer), std::to_string(key.min),
                        std::to_string(key.max));
  }
  std::visit(
      [&](auto* field) { *field = static_cast<std::decay_t<decltype(*field)>>(node.integer); },
      key.value);
  return ok();
}

Status assign(const SizeKey& key, const Node& node, const Context&) {
  std::optional<ByteSize> size;
  if (node.kind == Node::Kind::kText) {
    size = parse_size(node.text);
    if (!size) return bad(in_quotes(node.text) + " is not a size such as \"16MB\" (KB, MB, GB)");
  } else if (node.kind == Node::Kind::kInteger) {
    if (node.integer >= 0) size = ByteSize{static_cast<std::uint64_t>(node.integer)};
  } else {
    return wrong_type("a size such as \"16MB\"", node);
  }
  if (!size || size->bytes < key.min || size->bytes > key.max) {
    return out_of_range(size ? format_size(*size) : std::to_string(node.integer),
                        format_size({key.min}), format_size({key.max}));
  }
  *key.value = *size;
  return ok();
}

Status assign(const DurationKey& key, const Node& node, const Context&) {
  std::optional<Millis> duration;
  if (node.kind == Node::Kind::kText) {
    duration = parse_duration(node.text);
    if (!duration) {
      return bad(in_quotes(node.text) + " is not a duration such as \"20ms\" (ms, s, m, h, d)");
    }
  } else if (node.kind == Node::Kind::kInteger) {
    duration = Millis(node.integer);
  } else {
    return wrong_type("a duration such as \"20ms\"", node);
  }
  if (*duration < key.min || *duration > key.max) {
    return out_of_range(std::to_string(duration->count()) + " ms", format_duration(key.min),
                        format_duration(key.max));
  }
  *key.value = *duration;
  return ok();
}

Status assign(const ChoiceKey& key, const Node& node, const Context&) {
  POSTERN_TRY(check_text(node, 100));
  const auto it = std::find(key.names.begin(), key.names.end(), node.text);
  if (it == key.names.end()) return bad(in_quotes(node.text) + " is none of " + join(key.names));
  *key.value = static_cast<std::uint8_t>(it - key.names.begin());
  return ok();
}

Status assign(const TextKey& key, const Node& node, const Context&) {
  POSTERN_TRY(check_text(node, key.max_bytes));
  *key.value = node.text;
  return ok();
}

Status assign(const TextsKey& key, const Node& node, const Context&) {
  POSTERN_TRY(check_list(node));
  std::vector<std::string> texts;
  for (const Node& item : node.items) {
    POSTERN_TRY(check_text(item, 1024));
    texts.push_back(item.text);
  }
  *key.value = std::move(texts);
  return ok();
}

Status assign(const PathKey& key, const Node& node, const Context& context) {
  POSTERN_TRY(check_text(node, 4096));
  if (node.text.empty()) return bad("is empty");
  key.value->path = resolve_path(node.text, context.file);
  return ok();
}

Status assign(const HostPortKey& key, const Node& node, const Context&) {
  POSTERN_ASSIGN(*key.value, key.sockets ? node_of(node) : host_port_of(node));
  return ok();
}

Status assign(const HostPortsKey& key, const Node& node, const Context&) {
  POSTERN_TRY(check_list(node));
  if (node.items.empty()) return bad("is an empty list");
  std::vector<HostPort> all;
  for (const Node& item : node.items) {
    POSTERN_ASSIGN(auto one, node_of(item));
    if (std::find(all.begin(), all.end(), one) != all.end()) {
      return bad(in_quotes(item.text) + " stands twice");
    }
    all.push_back(std::move(one));
  }
  *key.value = std::move(all);
  return ok();
}

Status assign(const SecretKey& key, const Node& node, const Context& context) {
  if (node.kind != Node::Kind::kText) return wrong_type("a string", node);
  POSTERN_ASSIGN(auto secret, substitute(node.text, context.environment));
  if (secret.empty()) return bad("is empty");
  if (secret.reveal().find('\0') != ByteView::npos) return bad("holds a zero byte");
  *key.value = std::move(secret);
  return ok();
}

Status assign(const SecretFileKey& key, const Node& node, const Context& context) {
  FilePath file;
  POSTERN_TRY(assign(PathKey{&file}, node, context));
  auto content = read_whole_file(file.path, kMaxSecretFileBytes);
  if (!content) return make_error(pst::kConfigSecret, content.error().what);
  if (content->ends_with('\n')) content->pop_back();
  if (content->ends_with('\r')) content->pop_back();
  Secret secret(std::move(*content));
  if (secret.empty()) return make_error(pst::kConfigSecret, "the file is empty");
  if (secret.reveal().find('\0') != ByteView::npos) return bad("the file holds a zero byte");
  *key.value = std::move(secret);
  return ok();
}

Status assign(const TenantKey& key, const Node& node, const Context&) {
  POSTERN_ASSIGN(*key.value, tenant_of(node));
  return ok();
}

Status assign(const TenantsKey& key, const Node& node, const Context&) {
  POSTERN_TRY(check_list(node));
  if (node.items.empty()) return bad("is an empty list");
  TenantChoice choice;
  for (const Node& item : node.items) {
    if (item.kind == Node::Kind::kText && item.text == "*") {
      choice.any = true;
      continue;
    }
    POSTERN_ASSIGN(auto tenant, tenant_of(item));
    choice.allowed.push_back(std::move(tenant));
  }
  if (choice.any && !choice.allowed.empty()) return bad("\"*\" stands alone or not at all");
  *key.value = std::move(choice);
  return ok();
}

Status assign(const RolesKey& key, const Node& node, const Context&) {
  if (node.kind != Node::Kind::kTable) return wrong_type("a table { role = \"access\" }", node);
  std::vector<RoleAccess> all;
  for (const auto& [role, access] : node.members) {
    POSTERN_ASSIGN(auto entry, role_access(role, access));
    all.push_back(std::move(entry));
  }
  *key.value = std::move(all);
  return ok();
}

std::string resolve_path(const std::string& path, const std::string& file) {
  namespace fs = std::filesystem;
  const fs::path given(path);
  if (given.is_absolute()) return given.lexically_normal().string();
  std::error_code ec;
  const fs::path base = fs::absolute(fs::path(file), ec).parent_path();
  return (base / given).lexically_normal().string();
}

}  // namespace postern::config
