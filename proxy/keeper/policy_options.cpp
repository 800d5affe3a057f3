#include "proxy/keeper/policy_options.hpp"

#include <algorithm>
#include <set>
#include <string>

#include "base/codes/pool.hpp"
#include "config/values.hpp"
#include "crypto/hash.hpp"

namespace postern::proxy {
namespace {

constexpr std::size_t kUuidBytes = 16;

policy::Mode to_mode(config::PolicyMode mode) {
  switch (mode) {
    case config::PolicyMode::kObserve:
      return policy::Mode::kObserve;
    case config::PolicyMode::kGate:
      return policy::Mode::kGate;
    case config::PolicyMode::kEnforce:
      return policy::Mode::kEnforce;
    case config::PolicyMode::kPinned:
      return policy::Mode::kPinned;
  }
  return policy::Mode::kEnforce;
}

Error not_built(const std::string& what) {
  Error error = make_error(pst::kProtectionBlocked, what + " are not supported yet");
  error.hint = "Remove them from the configuration; nothing passes while they are not in force.";
  return error;
}

Result<policy::ColumnRule> column_rule(const config::ColumnOptions& column) {
  const std::string label = column.table + "." + column.name;
  if (!column.mask.empty()) return not_built("masks (" + label + ")");
  if (!column.roles.empty()) return not_built("roles of columns (" + label + ")");
  policy::ColumnRule rule;
  rule.table = column.table;
  rule.column = column.name;
  rule.type = column.type;
  rule.scheme = column.scheme == config::Scheme::kDeterministic ? policy::Scheme::kDeterministic
                                                                : policy::Scheme::kRandomized;
  rule.scope = column.key_scope == config::KeyScope::kGlobal ? policy::KeyScope::kGlobal
                                                             : policy::KeyScope::kTenant;
  rule.uuid = column.uuid;
  rule.link_group = link_group_uuid(column.link_group);
  return rule;
}

char command_letter(config::PolicyCommand command) {
  switch (command) {
    case config::PolicyCommand::kAll:
      return '*';
    case config::PolicyCommand::kSelect:
      return 'r';
    case config::PolicyCommand::kInsert:
      return 'a';
    case config::PolicyCommand::kUpdate:
      return 'w';
    case config::PolicyCommand::kDelete:
      return 'd';
  }
  return '*';
}

policy::BusinessRule business_rule(const config::TablePolicy& one) {
  policy::BusinessRule rule;
  rule.name = one.name;
  rule.permissive = one.kind == config::PolicyKind::kPermissive;
  rule.command = command_letter(one.command);
  rule.roles = one.roles;
  rule.using_text = one.using_sql;
  rule.check_text = one.check_sql;
  return rule;
}

// Entries that no configuration can free were refused when it was read.
void take_permits(const config::PolicyOptions& from, policy::PolicyOptions& into) {
  into.permits.functions = from.allow_functions;
  into.permits.settings = from.allow_settings;
  for (const auto& [name, profile] : from.profile) {
    const auto known = policy::profile_from_word(name);
    if (!known) continue;
    policy::Permits& permits = into.profile_permits.at(static_cast<std::size_t>(*known));
    permits.functions = profile.allow_functions;
    permits.settings = profile.allow_settings;
    permits.plans = profile.allow_plans;
    permits.full_errors = profile.error_detail == config::ErrorDetail::kFull;
  }
}

bool is_bound_by_wall(config::Profile profile) {
  return profile == config::Profile::kApp || profile == config::Profile::kAnalyst ||
         profile == config::Profile::kDefault || profile == config::Profile::kTransparent;
}

const std::string& upstream_role(const config::DatabaseOptions* database, const std::string& user,
                                 const config::UserOptions& options) {
  if (!options.upstream_user.empty()) return options.upstream_user;
  if (database != nullptr && !database->user.empty()) return database->user;
  return user;
}

}  // namespace

std::string link_group_uuid(std::string_view name) {
  if (name.empty()) return {};
  if (config::is_uuid(name)) return std::string(name);
  const crypto::Digest digest = crypto::sha256("postern link group:" + std::string(name));
  return to_hex(digest.view().substr(0, kUuidBytes));
}

policy::Profile policy_profile(config::Profile profile) {
  switch (profile) {
    case config::Profile::kAnalyst:
      return policy::Profile::kAnalyst;
    case config::Profile::kMigrator:
      return policy::Profile::kMigrator;
    case config::Profile::kBackup:
      return policy::Profile::kBackup;
    case config::Profile::kAdmin:
      return policy::Profile::kAdmin;
    case config::Profile::kTransparent:
      return policy::Profile::kTransparent;
    case config::Profile::kApp:
    case config::Profile::kDefault:
      return policy::Profile::kApp;
  }
  return policy::Profile::kApp;
}

Result<std::optional<policy::SchemaTenants>> schema_tenants(const config::Config& config) {
  using Tenants = std::optional<policy::SchemaTenants>;
  if (!config.tenant || !config.tenant->by_schema()) return Tenants();
  const config::TenantOptions& tenant = *config.tenant;
  policy::SchemaTenants out;
  POSTERN_ASSIGN(out.schema, policy::NameTemplate::parse(tenant.schema));
  POSTERN_ASSIGN(out.role,
                 policy::NameTemplate::parse(tenant.role.empty() ? tenant.schema : tenant.role));
  out.trusted = tenant.trusted;
  return Tenants(std::move(out));
}

Result<policy::PolicyOptions> policy_options(const config::Config& config,
                                             std::string_view database) {
  policy::PolicyOptions options;
  options.mode = to_mode(config.policy.mode);
  options.refuse_new_tables = config.policy.new_tables == config::NewTables::kRefuse;
  take_permits(config.policy, options);
  if (config.tenant) {
    if (!config.tenant->by_schema()) options.tenant_column = config.tenant->column;
    options.shared = config.tenant->shared;
    POSTERN_ASSIGN(options.schemas, schema_tenants(config));
  }
  for (const config::TableOptions& table : config.tables) {
    if (!config::rule_applies(config, table.database, database)) continue;
    policy::TableRule rule{table.name, table.tenant_column, {}};
    for (const config::TablePolicy& one : table.policies) {
      rule.policies.push_back(business_rule(one));
    }
    options.tables.push_back(std::move(rule));
  }
  for (const config::ColumnOptions& column : config.columns) {
    if (!config::rule_applies(config, column.database, database)) continue;
    POSTERN_ASSIGN(policy::ColumnRule rule, column_rule(column));
    options.columns.push_back(std::move(rule));
  }
  return options;
}

policy::WallOptions wall_options(const config::Config& config, std::string_view database) {
  const config::DatabaseOptions* options = config::find_database(config, database);
  std::set<std::string> roles;
  for (const auto& [name, user] : config.users) {
    if (!is_bound_by_wall(config::effective_profile(config, name, database))) continue;
    // A tenant's role is known by its name, whichever login it serves.
    if (config.tenant && config.tenant->by_schema() && !user.tenant.is_none()) continue;
    roles.insert(upstream_role(options, name, user));
  }
  const bool lists_all = !config::admits_strangers(config);
  if (!lists_all && options != nullptr && !options->user.empty()) roles.insert(options->user);
  policy::WallOptions wall;
  wall.app_roles.assign(roles.begin(), roles.end());
  wall.reduce_grants = config.policy.reduce_grants;
  return wall;
}

}  // namespace postern::proxy
