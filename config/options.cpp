#include "config/options.hpp"

#include <algorithm>

#include "config/key.hpp"

namespace postern::config {
std::string Where::text() const {
  return file + ":" + std::to_string(line);
}

bool TenantChoice::permits(const TenantId& tenant) const {
  if (tenant.is_none()) return false;
  return any || std::find(allowed.begin(), allowed.end(), tenant) != allowed.end();
}

const DatabaseOptions* find_database(const Config& config, std::string_view name) {
  auto it = config.databases.find(name);
  if (it == config.databases.end()) it = config.databases.find("*");
  return it == config.databases.end() ? nullptr : &it->second;
}

std::string upstream_database(const DatabaseOptions& database, std::string_view name) {
  return database.upstream.empty() ? std::string(name) : database.upstream;
}

RouteDefault effective_route(const Config& config, const DatabaseOptions& database) {
  if (!config.routing) return RouteDefault::kPrimary;
  if (database.route != RouteDefault::kDefault) return database.route;
  if (config.routing->route != RouteDefault::kDefault) return config.routing->route;
  return RouteDefault::kPrimary;
}

bool rule_applies(const Config& config, std::string_view rule_database, std::string_view name) {
  if (rule_database == "*" || rule_database == name) return true;
  const DatabaseOptions* ruled = find_database(config, rule_database);
  const DatabaseOptions* asked = find_database(config, name);
  if (ruled == nullptr || asked == nullptr) return false;
  return ruled->cluster == asked->cluster &&
         upstream_database(*ruled, rule_database) == upstream_database(*asked, name);
}

bool is_protected(const Config& config, std::string_view name) {
  if (config.tenant) return true;
  const auto applies = [&](const auto& rule) { return rule_applies(config, rule.database, name); };
  return std::any_of(config.tables.begin(), config.tables.end(), applies) ||
         std::any_of(config.columns.begin(), config.columns.end(), applies);
}

Profile effective_profile(const Config& config, std::string_view user, std::string_view database) {
  const auto it = config.users.find(user);
  if (it != config.users.end() && it->second.profile != Profile::kDefault) {
    return it->second.profile;
  }
  const DatabaseOptions* options = find_database(config, database);
  if (options != nullptr && options->profile != Profile::kDefault) return options->profile;
  return is_protected(config, database) ? Profile::kApp : Profile::kTransparent;
}

bool admits_strangers(const Config& config) {
  const AuthOptions& auth = config.auth;
  if (auth.query || (auth.rules.empty() && auth.method == AuthMethod::kTrust)) return true;
  return std::any_of(auth.rules.begin(), auth.rules.end(), [](const AuthRule& rule) {
    return rule.method == RuleMethod::kCert || rule.method == RuleMethod::kTrust ||
           rule.method == RuleMethod::kJwt;
  });
}

RoleAccess column_access(const ColumnOptions& column, std::string_view user, Profile profile) {
  const std::string by_profile =
      "profile:" + std::string(profile_names()[static_cast<std::size_t>(profile)]);
  for (const std::string_view wanted :
       {user, std::string_view(by_profile), std::string_view("*")}) {
    for (const RoleAccess& entry : column.roles) {
      if (entry.role != wanted) continue;
      const bool own_mask = entry.access == Access::kMask && entry.mask.empty();
      return {entry.role, entry.access, own_mask ? column.mask : entry.mask};
    }
  }
  const bool raw = profile == Profile::kAdmin || profile == Profile::kBackup;
  if (raw && column.scheme != Scheme::kNone) return {"", Access::kCiphertext, ""};
  const bool masked = profile == Profile::kAnalyst && !column.mask.empty();
  if (masked) return {"", Access::kMask, column.mask};
  return {"", Access::kDecrypt, ""};
}

bool glob_match(std::string_view pattern, std::string_view text) {
  // Greedy with one point of return: linear in practice, quadratic at worst, no recursion.
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;
  std::size_t resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace postern::config
