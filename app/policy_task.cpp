#include "app/policy_task.hpp"

#include <array>
#include <utility>

#include "base/codes/config.hpp"
#include "base/codes/tools.hpp"
#include "proxy/catalog/catalog_source.hpp"
#include "proxy/keeper/policy_options.hpp"

namespace postern::app {
namespace {

Status fill_task(const Arguments& arguments, PolicyTask& task) {
  POSTERN_ASSIGN(task.database, database_named(task.config, arguments.value("--database")));
  POSTERN_ASSIGN(const policy::PolicyOptions options,
                 proxy::policy_options(task.config, task.database.name));
  POSTERN_ASSIGN(schema::Connection connection,
                 connect_primary(task.config, task.database, arguments.value("--dsn")));
  task.connection = std::make_unique<schema::Connection>(std::move(connection));
  POSTERN_ASSIGN(auto catalog, load_catalog(*task.connection));
  POSTERN_ASSIGN(task.rules, policy::compile_ruleset(options, std::move(catalog)));
  task.wall = proxy::wall_options(task.config, task.database.name);
  return ok();
}

}  // namespace

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
  // The verification query reads the wall's own tables, where tenants are rows.
  const char* const raised_sql =
      rules.options.schemas ? "SELECT true"
                            : "SELECT pg_catalog.to_regclass('postern.wall_state') IS NOT NULL "
                              "AND pg_catalog.to_regclass('postern.context_key') IS NOT NULL";
  POSTERN_ASSIGN(const bool raised, connection.truth(raised_sql));
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
      return make_error(pst::kDatabaseRefused, "the verification query answers in another form");
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
    return fail(make_error(pst::kUsage, std::string(command) + " needs --database DB"));
  }
  const Exit loaded = load_config(arguments, command, task.config);
  if (loaded != Exit::kGood) return loaded;
  const Status filled = fill_task(arguments, task);
  return filled ? Exit::kGood : fail(filled.error());
}

}  // namespace postern::app
