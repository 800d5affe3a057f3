#include "app/policy_task.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "crypto/hash.hpp"
#include "proxy/catalog/catalog_source.hpp"

namespace postern::app {
namespace {

policy::Mode mode_of(config::PolicyMode mode) {
  switch (mode) {
    case config::PolicyMode::kObserve:
      return policy::Mode::kObserve;
    case config::PolicyMode::kGate:
      return policy::Mode::kGate;
    case config::PolicyMode::kEnforce:
      return policy::Mode::kEnforce;
  }
  return policy::Mode::kEnforce;
}

policy::ColumnRule column_rule(const config::ColumnOptions& column) {
  policy::ColumnRule rule;
  rule.table = column.table;
  rule.column = column.name;
  rule.type = column.type;
  rule.scheme = column.scheme == config::Scheme::kDeterministic ? policy::Scheme::kDeterministic
                                                                : policy::Scheme::kRandomized;
  rule.scope = column.key_scope == config::KeyScope::kGlobal ? policy::KeyScope::kGlobal
                                                             : policy::KeyScope::kTenant;
  rule.uuid = column.uuid;
  if (!column.link_group.empty()) rule.link_group = link_group_uuid(column.link_group);
  return rule;
}

Status fill_task(const Arguments& arguments, PolicyTask& task) {
  POSTERN_ASSIGN(task.database, database_named(task.config, arguments.value("--database")));
  POSTERN_ASSIGN(const policy::PolicyOptions options,
                 policy_options(task.config, task.database.name));
  POSTERN_ASSIGN(schema::Connection connection,
                 connect_primary(task.config, task.database, arguments.value("--dsn")));
  task.connection = std::make_unique<schema::Connection>(std::move(connection));
  POSTERN_ASSIGN(auto catalog, load_catalog(*task.connection));
  POSTERN_ASSIGN(task.rules, policy::compile_ruleset(options, std::move(catalog)));
  task.wall.app_roles = upstream_roles(task.config, task.database);
  return ok();
}

}  // namespace

std::string link_group_uuid(std::string_view name) {
  constexpr std::size_t kDigits = 32;
  const std::string text = "postern link group 1:" + std::string(name);
  return to_hex(crypto::sha256(text).view()).substr(0, kDigits);
}

Result<policy::PolicyOptions> policy_options(const config::Config& config, std::string_view name) {
  policy::PolicyOptions out;
  out.mode = mode_of(config.policy.mode);
  if (config.tenant) {
    out.tenant_column = config.tenant->column;
    out.shared = config.tenant->shared;
  }
  for (const config::TableOptions& table : config.tables) {
    if (!config::rule_applies(config, table.database, name)) continue;
    if (!table.policies.empty()) {
      return make_error(Pst::kConfigNotHandled, "[[table.policies]] of " + table.name);
    }
    out.tables.push_back({table.name, table.tenant_column});
  }
  for (const config::ColumnOptions& column : config.columns) {
    if (column.scheme == config::Scheme::kNone) continue;
    if (!config::rule_applies(config, column.database, name)) continue;
    out.columns.push_back(column_rule(column));
  }
  return out;
}

std::vector<std::string> upstream_roles(const config::Config& config,
                                        const DatabaseName& database) {
  std::set<std::string> roles;
  if (!database.options->user.empty()) roles.insert(database.options->user);
  for (const auto& [name, user] : config.users) {
    // Those profiles are meant to reach around the wall, and are audited for it.
    const config::Profile profile = config::effective_profile(config, name, database.name);
    if (profile == config::Profile::kAdmin || profile == config::Profile::kMigrator) continue;
    if (!user.upstream_user.empty()) {
      roles.insert(user.upstream_user);
    } else if (database.options->user.empty()) {
      roles.insert(name);
    }
  }
  return {roles.begin(), roles.end()};
}

Result<std::shared_ptr<const sql::Catalog>> load_catalog(schema::Connection& connection) {
  POSTERN_TRY(connection.run("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"));
  std::array<proxy::Rows, proxy::kCatalogParts> parts;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto part = static_cast<proxy::CatalogPart>(i);
    POSTERN_ASSIGN(parts[i], connection.query(std::string(proxy::catalog_sql(part))));
  }
  POSTERN_TRY(connection.run("COMMIT"));
  return proxy::build_catalog(parts, 1);
}

Result<std::vector<policy::WallDifference>> wall_differences(schema::Connection& connection,
                                                             const policy::Ruleset& rules,
                                                             const policy::WallOptions& wall) {
  // The verification query reads the wall's own tables.
  POSTERN_ASSIGN(const bool raised,
                 connection.truth("SELECT pg_catalog.to_regclass('postern.wall_state') IS NOT NULL "
                                  "AND pg_catalog.to_regclass('postern.context_key') IS NOT NULL"));
  if (!raised) {
    return std::vector<policy::WallDifference>{
        {"postern", "the wall has not been applied", "-- run: postern policy apply"}};
  }
  POSTERN_ASSIGN(const schema::Rows rows, connection.query(policy::wall_verify_sql(rules, wall)));
  std::vector<policy::WallRow> found;
  found.reserve(rows.size());
  for (const schema::Row& row : rows) {
    constexpr std::size_t kColumns = 4;
    std::vector<std::string> values;
    for (const auto& value : row) {
      if (value) values.push_back(*value);
    }
    if (row.size() != kColumns || values.size() != kColumns) {
      return make_error(Pst::kDatabaseRefused, "the verification query answers in another form");
    }
    found.push_back({values[0], values[1], values[2], values[3]});
  }
  return policy::verify_wall(rules, wall, found);
}

std::string guard_key_file(const config::Config& config) {
  return config.tenant ? config.tenant->guard_key_file.path : std::string();
}

Exit open_policy_task(const Arguments& arguments, std::string_view command, PolicyTask& task) {
  if (!arguments.has("--database")) {
    return fail(make_error(Pst::kUsage, std::string(command) + " needs --database DB"));
  }
  const Exit loaded = load_config(arguments, command, task.config);
  if (loaded != Exit::kGood) return loaded;
  const Status filled = fill_task(arguments, task);
  return filled ? Exit::kGood : fail(filled.error());
}

}  // namespace postern::app
