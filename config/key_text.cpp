#include "config/key_text.hpp"

#include "config/values.hpp"

namespace postern::config {
namespace {

/// Quoted, on one line: a report is read by people and written to logs.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) out += c >= ' ' && c != 127 ? c : '?';
  return out + "\"";
}

std::string host_port(const HostPort& place) {
  if (place.empty()) return "\"\"";
  const bool ipv6 = place.host.find(':') != std::string::npos;
  const std::string host = ipv6 ? "[" + place.host + "]" : place.host;
  return quoted(host + ":" + std::to_string(place.port));
}

template <typename List, typename Text>
std::string joined(const List& list, Text text) {
  std::string out = "[";
  for (const auto& item : list) out.append(out.size() > 1 ? ", " : "").append(text(item));
  return out + "]";
}

std::string access_text(const RoleAccess& entry) {
  std::string access(access_names()[static_cast<std::size_t>(entry.access)]);
  if (!entry.mask.empty()) access += ":" + entry.mask;
  return quoted(entry.role) + " = " + quoted(access);
}

}  // namespace

std::string value_text(const FlagKey& key) {
  return *key.value ? "true" : "false";
}
std::string value_text(const NumberKey& key) {
  return std::visit([](auto* field) { return std::to_string(*field); }, key.value);
}
std::string value_text(const SizeKey& key) {
  return quoted(format_size(*key.value));
}
std::string value_text(const DurationKey& key) {
  return quoted(format_duration(*key.value));
}
std::string value_text(const ChoiceKey& key) {
  return quoted(key.names[*key.value]);
}
std::string value_text(const TextKey& key) {
  return quoted(*key.value);
}
std::string value_text(const TextsKey& key) {
  return joined(*key.value, [](const std::string& text) { return quoted(text); });
}
std::string value_text(const PathKey& key) {
  return quoted(key.value->path);
}
std::string value_text(const HostPortKey& key) {
  return host_port(*key.value);
}
std::string value_text(const HostPortsKey& key) {
  return joined(*key.value, host_port);
}
std::string value_text(const TenantKey& key) {
  return quoted(key.value->text());
}
std::string value_text(const TenantsKey& key) {
  if (key.value->any) return "[\"*\"]";
  return joined(key.value->allowed, [](const TenantId& tenant) { return quoted(tenant.text()); });
}
std::string value_text(const RolesKey& key) {
  return joined(*key.value, access_text);
}

}  // namespace postern::config
