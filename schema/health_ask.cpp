#include "schema/health.hpp"

namespace postern::schema {
namespace {

constexpr const char* kSelfSql = R"sql(
SELECT pg_catalog.current_setting('server_version'), pg_catalog.pg_is_in_recovery(),
       r.rolsuper, pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE'), r.rolcreaterole,
       pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE'),
       pg_catalog.has_parameter_privilege('log_parameter_max_length', 'SET')
FROM pg_catalog.pg_roles r WHERE r.rolname = current_user)sql";

constexpr const char* kTables = R"sql(
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND NOT a.attisdropped AND a.attname = $1
WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'postern')
  AND n.nspname !~ '^pg_(toast|temp_)')sql";

constexpr const char* kRoleSql = R"sql(
SELECT r.rolsuper, r.rolbypassrls,
       EXISTS (SELECT FROM pg_catalog.pg_roles o WHERE o.rolname = 'postern_owner'
               AND pg_catalog.pg_has_role(r.oid, o.oid, 'MEMBER'))
FROM pg_catalog.pg_roles r WHERE r.rolname = $1)sql";

bool is_true(const std::optional<std::string>& value) {
  return value == "t";
}

Status read_self(Connection& connection, NodeFacts& out) {
  POSTERN_ASSIGN(const Rows rows, connection.query(kSelfSql));
  const Row& row = rows.at(0);
  out.version = connection.server_version();
  out.version_text = row.at(0).value_or("");
  out.tls = connection.uses_tls();
  out.service_role = connection.user();
  out.is_replica = is_true(row.at(1));
  out.service_superuser = is_true(row.at(2));
  out.reads_stats = is_true(row.at(3));
  out.may_create_role = is_true(row.at(4));
  out.may_create_schema = is_true(row.at(5));
  out.may_keep_log = is_true(row.at(6));
  return ok();
}

Status read_settings(Connection& connection, NodeFacts& out) {
  for (const std::string& name : asked_settings()) {
    const std::string_view parameter = name;
    POSTERN_ASSIGN(
        out.settings[name],
        connection.value("SELECT pg_catalog.current_setting($1, true)", {&parameter, 1}));
  }
  return ok();
}

Status read_not_owned(Connection& connection, const std::string& tenant_column, NodeFacts& out) {
  if (tenant_column.empty()) return ok();
  const std::string_view parameter = tenant_column;
  POSTERN_ASSIGN(
      const Rows rows,
      connection.query(std::string("SELECT pg_catalog.concat(n.nspname, '.', "
                                   "c.relname) ") +
                           kTables + " AND NOT pg_catalog.pg_has_role(c.relowner, 'USAGE')",
                       {&parameter, 1}));
  for (const Row& row : rows) out.not_owned.push_back(row.at(0).value_or(""));
  return ok();
}

Status read_role(Connection& connection, const std::string& name, const std::string& tenant_column,
                 NodeFacts& out) {
  const std::string_view parameter = name;
  POSTERN_ASSIGN(const Rows rows, connection.query(kRoleSql, {&parameter, 1}));
  if (rows.empty()) return ok();
  RoleFacts role;
  role.name = name;
  role.superuser = is_true(rows.front().at(0));
  role.bypasses = is_true(rows.front().at(1));
  role.wall_member = is_true(rows.front().at(2));
  const std::string_view both[] = {tenant_column, name};
  POSTERN_ASSIGN(const Rows owned,
                 connection.query(std::string("SELECT 1 ") + kTables +
                                      " AND pg_catalog.pg_has_role($2::pg_catalog.name, "
                                      "c.relowner, 'USAGE') LIMIT 1",
                                  both));
  role.owns_walled = !owned.empty();
  out.roles.push_back(std::move(role));
  return ok();
}

}  // namespace

const std::vector<std::string>& asked_settings() {
  static const std::vector<std::string> kNames{
      "password_encryption", "wal_level",       "hot_standby", "log_parameter_max_length_on_error",
      "row_security",        "max_connections", "ssl",         "superuser_reserved_connections"};
  return kNames;
}

Result<NodeFacts> ask_node(Connection& connection, const std::vector<std::string>& roles,
                           const std::string& tenant_column) {
  NodeFacts out;
  POSTERN_TRY(read_self(connection, out));
  POSTERN_TRY(read_settings(connection, out));
  POSTERN_TRY(read_not_owned(connection, tenant_column, out));
  for (const std::string& role : roles) {
    POSTERN_TRY(read_role(connection, role, tenant_column, out));
  }
  return out;
}

}  // namespace postern::schema
