// SHOW CONFIG: the key table with the values in force.
#include <type_traits>
#include <variant>

#include "config/key.hpp"
#include "config/values.hpp"
#include "proxy/console/gather.hpp"

namespace postern::proxy::console {
namespace {

using config::KeyRows;

std::string text(const config::FlagKey& key) {
  return *key.value ? "true" : "false";
}
std::string text(const config::NumberKey& key) {
  return std::visit([](auto* field) { return std::to_string(*field); }, key.value);
}
std::string text(const config::SizeKey& key) {
  return config::format_size(*key.value);
}
std::string text(const config::DurationKey& key) {
  return config::format_duration(*key.value);
}
std::string text(const config::ChoiceKey& key) {
  return std::string(key.names[*key.value]);
}
std::string text(const config::TextKey& key) {
  return *key.value;
}
std::string text(const config::TextsKey& key) {
  std::string out;
  for (const std::string& item : *key.value) out += (out.empty() ? "" : ", ") + item;
  return out;
}
std::string text(const config::PathKey& key) {
  return key.value->path;
}
std::string text(const config::HostPortKey& key) {
  return key.value->empty() ? "" : key.value->host + ":" + std::to_string(key.value->port);
}
std::string text(const config::HostPortsKey& key) {
  std::string out;
  for (const config::HostPort& node : *key.value) {
    out += (out.empty() ? "" : ", ") + node.host + ":" + std::to_string(node.port);
  }
  return out;
}
std::string text(const config::TenantKey& key) {
  return std::string(key.value->text());
}
// Secrets, sections and lists of sections have no text of their own.
template <typename Other>
std::string text(const Other&) {
  return {};
}

bool is_shown(const config::Slot& slot) {
  return !std::holds_alternative<config::SecretKey>(slot) &&
         !std::holds_alternative<config::SecretFileKey>(slot) &&
         !std::holds_alternative<config::TableKey>(slot) &&
         !std::holds_alternative<config::NamedKey>(slot) &&
         !std::holds_alternative<config::ListKey>(slot);
}

std::string slot_text(const config::Slot& slot) {
  return std::visit([](const auto& key) { return text(key); }, slot);
}

// Adds the keys of one section. The key table points at fields and is only read here: it has no
// form for constant options.
template <typename Options>
void add(const std::string& prefix, const Options& options, std::vector<ConfigRow>& out) {
  Options presets;
  const KeyRows before = config::keys_of(presets);
  const KeyRows now = config::keys_of(const_cast<Options&>(options));
  for (std::size_t i = 0; i < now.size(); ++i) {
    if (!is_shown(now[i].slot)) continue;
    ConfigRow row;
    row.key = prefix + "." + std::string(now[i].name);
    row.value = slot_text(now[i].slot);
    row.preset = slot_text(before[i].slot);
    row.changeable = now[i].reload == config::Reload::kYes;
    out.push_back(std::move(row));
  }
}

template <typename Options>
void add(const std::string& prefix, const std::optional<Options>& options,
         std::vector<ConfigRow>& out) {
  if (options) add(prefix, *options, out);
}

}  // namespace

std::vector<ConfigRow> config_rows(const config::Config& config) {
  std::vector<ConfigRow> out;
  add("listen", config.listen, out);
  add("listen.tls", config.listen.tls, out);
  for (const auto& [name, cluster] : config.clusters) {
    add("cluster." + name, cluster, out);
    add("cluster." + name + ".tls", cluster.tls, out);
  }
  for (const auto& [name, database] : config.databases) add("database." + name, database, out);
  add("auth", config.auth, out);
  add("service", config.service, out);
  add("tenant", config.tenant, out);
  add("keys", config.keys, out);
  add("policy", config.policy, out);
  add("routing", config.routing, out);
  add("cache", config.cache, out);
  add("audit", config.audit, out);
  add("metrics", config.metrics, out);
  add("admin", config.admin, out);
  add("limits", config.limits, out);
  add("log", config.log, out);
  return out;
}

}  // namespace postern::proxy::console
