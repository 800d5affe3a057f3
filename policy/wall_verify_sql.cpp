// The query of the verification: everything the wall consists of, as the server's catalogs have it.
#include "policy/sql_quote.hpp"
#include "policy/wall_schemas.hpp"
#include "policy/wall_state.hpp"
#include "policy/wall_verify.hpp"

namespace postern::policy {
namespace {

// Names as quote_relation() writes them, so that both sides compare byte by byte.
constexpr std::string_view kTableName =
    "pg_catalog.concat('\"', pg_catalog.replace(n.nspname, '\"', '\"\"'), '\".\"', "
    "pg_catalog.replace(c.relname, '\"', '\"\"'), '\"')";

constexpr std::string_view kUserRelations =
    " FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace "
    "WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ "
    "'^pg_(toast|temp_)' ";

std::string name_list(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) {
    if (!out.empty()) out += ", ";
    out += quote_literal(name);
  }
  return out;
}

std::string roles(const WallOptions& options) {
  std::vector<std::string> names = options.app_roles;
  names.push_back(options.owner_role);
  return "SELECT 'role', r.rolname::text, 'attributes', pg_catalog.concat('super=', r.rolsuper, "
         "' login=', r.rolcanlogin, ' bypass=', r.rolbypassrls, ' escapes=', NOT r.rolsuper AND "
         "EXISTS (SELECT FROM "
         "pg_catalog.pg_roles AS b WHERE (b.rolsuper OR b.rolbypassrls) AND b.oid <> r.oid AND "
         "pg_catalog.pg_has_role(r.oid, b.oid, 'MEMBER')), ' stats=', "
         "pg_catalog.pg_has_role(r.oid, 'pg_read_all_stats', 'USAGE'), ' owner=', EXISTS (SELECT "
         "FROM pg_catalog.pg_roles AS o WHERE o.rolname = " +
         quote_literal(options.owner_role) +
         " AND pg_catalog.pg_has_role(r.oid, o.oid, 'MEMBER')), ' tables=', EXISTS (SELECT FROM "
         "pg_catalog.pg_policy AS p JOIN pg_catalog.pg_class AS c ON c.oid = p.polrelid WHERE "
         "p.polname = 'postern_tenant' AND c.relowner <> r.oid AND pg_catalog.pg_has_role(r.oid, "
         "c.relowner, 'MEMBER'))) FROM pg_catalog.pg_roles AS r "
         "WHERE r.rolname IN (" +
         name_list(names) + ")";
}

std::string schema() {
  return "SELECT 'schema', n.nspname::text, 'owner', pg_catalog.pg_get_userbyid(n.nspowner)::text "
         "FROM pg_catalog.pg_namespace AS n WHERE n.nspname = 'postern' UNION ALL "
         "SELECT 'schema', n.nspname::text, 'create', CASE WHEN a.grantee = 0 THEN 'public' ELSE "
         "pg_catalog.pg_get_userbyid(a.grantee)::text END FROM pg_catalog.pg_namespace AS n, "
         "pg_catalog.aclexplode(n.nspacl) AS a WHERE n.nspname = 'postern' AND a.privilege_type = "
         "'CREATE' AND a.grantee <> n.nspowner";
}

// One row per property, so that a difference is named exactly.
std::string functions() {
  const std::string from =
      " FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace "
      "JOIN pg_catalog.pg_language AS l ON l.oid = p.prolang WHERE n.nspname = 'postern'";
  const std::string object =
      "pg_catalog.concat('postern.', p.proname, '(', "
      "pg_catalog.pg_get_function_identity_arguments(p.oid), ')')";
  return "SELECT 'function', " + object + ", 'source', p.prosrc" + from +
         " UNION ALL SELECT "
         "'function', " +
         object +
         ", 'attributes', pg_catalog.concat('owner=', "
         "pg_catalog.pg_get_userbyid(p.proowner), ' language=', l.lanname, ' definer=', "
         "p.prosecdef, ' volatile=', p.provolatile, ' parallel=', p.proparallel, ' leakproof=', "
         "p.proleakproof, ' set=', pg_catalog.array_to_string(p.proconfig, ','), ' returns=', "
         "pg_catalog.format_type(p.prorettype, NULL), ' public=', "
         "pg_catalog.has_function_privilege('public', p.oid, 'EXECUTE'), ' library=', p.probin)" +
         from;
}

// Only a loaded library defines a setting nobody can set.
std::string guard() {
  return "SELECT 'guard', 'postern_guard', 'version', s.setting FROM pg_catalog.pg_settings AS s "
         "WHERE s.name = 'postern_guard.version' AND s.context = 'internal'";
}

std::string tables() {
  const std::string name(kTableName);
  return "SELECT 'table', " + name +
         ", 'security', pg_catalog.concat('enabled=', "
         "c.relrowsecurity, ' forced=', c.relforcerowsecurity)" +
         std::string(kUserRelations) +
         "AND c.relkind IN ('r', 'p') AND c.relpersistence <> 't' UNION ALL SELECT 'table', " +
         name + ", 'owner', pg_catalog.pg_get_userbyid(c.relowner)::text" +
         std::string(kUserRelations) +
         "AND c.relkind IN ('r', 'p') AND c.relpersistence <> 't' UNION ALL SELECT 'table', " +
         name + ", 'name', pg_catalog.concat(n.nspname, '.', c.relname)" +
         std::string(kUserRelations) + "AND c.relkind IN ('r', 'p') AND c.relpersistence <> 't'";
}

std::string tenant_columns(const Ruleset& rules) {
  if (rules.options.tenant_column.empty()) return "";
  return " UNION ALL SELECT 'table', " + std::string(kTableName) +
         ", 'tenant column', a.attname::text FROM pg_catalog.pg_class AS c JOIN "
         "pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace JOIN pg_catalog.pg_attribute AS a "
         "ON a.attrelid = c.oid WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', "
         "'postern') AND n.nspname !~ '^pg_(toast|temp_)' AND c.relkind IN ('r', 'p') AND "
         "c.relpersistence <> 't' AND NOT a.attisdropped AND a.attname = " +
         quote_literal(rules.options.tenant_column);
}

std::string parents() {
  const std::string name(kTableName);
  return "SELECT 'table', " + name + ", 'parent', (SELECT " + name +
         " FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = "
         "c.relnamespace WHERE c.oid = i.inhparent) FROM pg_catalog.pg_inherits AS i JOIN "
         "pg_catalog.pg_class AS c ON c.oid = i.inhrelid JOIN pg_catalog.pg_namespace AS n ON "
         "n.oid "
         "= c.relnamespace WHERE c.relkind IN ('r', 'p')";
}

// Equality under a nondeterministic collation would make one tenant of 'acme' and 'ACME'.
std::string collations(const Ruleset& rules) {
  std::vector<std::string> names;
  for (const auto& [oid, tenant] : rules.tenant_tables) names.push_back(tenant.column);
  if (names.empty()) return "";
  return " UNION ALL SELECT 'table', " + std::string(kTableName) +
         ", 'nondeterministic', a.attname::text FROM pg_catalog.pg_attribute AS a JOIN "
         "pg_catalog.pg_collation AS k ON k.oid = a.attcollation AND NOT k.collisdeterministic "
         "JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace AS n ON "
         "n.oid = c.relnamespace WHERE a.attname IN (" +
         name_list(names) + ") AND NOT a.attisdropped AND c.relkind IN ('r', 'p')";
}

std::string policies() {
  // The server prints no expression for a table that was dropped since the statement began.
  return "SELECT 'policy', " + std::string(kTableName) +
         ", p.polname::text, pg_catalog.concat(CASE WHEN p.polqual IS NOT NULL AND "
         "pg_catalog.pg_get_expr(p.polqual, p.polrelid) IS NULL THEN 'gone|' END, " +
         std::string(kPolicyTextSql) +
         ") FROM pg_catalog.pg_policy AS p JOIN pg_catalog.pg_class AS c ON c.oid = p.polrelid "
         "JOIN "
         "pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace";
}

std::string state() {
  const std::string from =
      " FROM postern.wall_state AS s JOIN pg_catalog.pg_class AS c ON c.oid = s.relation JOIN "
      "pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace";
  const std::string name(kTableName);
  return "SELECT 'state', " + name + ", 'kind', c.relkind::text" + from +
         " UNION ALL SELECT 'state', " + name + ", 'allow', s.allow" + from +
         " UNION ALL SELECT 'state', " + name + ", 'owner', s.owner" + from +
         " UNION ALL SELECT 'state', " + name + ", 'known', k.k" + from +
         ", pg_catalog.unnest(s.known) AS k(k)" + " UNION ALL SELECT 'state', " + name +
         ", 'rule', k.k" + from +
         ", pg_catalog.unnest(s.rule_source) AS k(k) UNION ALL SELECT 'state', " + name +
         ", 'rule printed', k.k" + from + ", pg_catalog.unnest(s.rule_printed) AS k(k)";
}

std::string views() {
  return "SELECT 'view', " + std::string(kTableName) +
         ", 'invoker', COALESCE((SELECT o.option_value::boolean::text FROM "
         "pg_catalog.pg_options_to_table(c.reloptions) AS o WHERE o.option_name = "
         "'security_invoker'), 'false')" +
         std::string(kUserRelations) + "AND c.relkind = 'v'";
}

std::string event_triggers() {
  return "SELECT 'event', e.evtname::text, 'enabled', e.evtenabled::text FROM "
         "pg_catalog.pg_event_trigger AS e WHERE pg_catalog.starts_with(e.evtname::text, "
         "'postern_wall_')";
}

std::string domain_and_grants() {
  return "SELECT 'domain', 'postern.pe1', k.conname::text, "
         "pg_catalog.pg_get_constraintdef(k.oid) FROM pg_catalog.pg_constraint AS k JOIN "
         "pg_catalog.pg_type AS t ON t.oid = k.contypid JOIN pg_catalog.pg_namespace AS n ON n.oid "
         "= t.typnamespace WHERE n.nspname = 'postern' AND t.typname = 'pe1' AND t.typbasetype = "
         "17 UNION ALL "
         "SELECT 'grant', " +
         std::string(kTableName) +
         ", CASE WHEN a.grantee = 0 THEN "
         "'public' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END, "
         "a.privilege_type FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON "
         "n.oid = c.relnamespace, pg_catalog.aclexplode(c.relacl) AS a WHERE n.nspname = 'postern' "
         "AND a.grantee <> c.relowner";
}

}  // namespace

std::string wall_verify_sql(const Ruleset& rules, const WallOptions& options) {
  if (rules.options.schemas) return schema_verify_sql(rules, options);
  std::string sql =
      "SELECT v.section, v.object, v.property, COALESCE(v.value, '') AS value FROM (" +
      roles(options);
  for (const std::string& part : {schema(), functions(), guard(), tables(), parents(), policies(),
                                  state(), views(), event_triggers(), domain_and_grants()}) {
    sql += " UNION ALL " + part;
  }
  sql += tenant_columns(rules);
  sql += collations(rules);
  sql +=
      ") AS v(section, object, property, value) ORDER BY v.section COLLATE \"C\", v.object "
      "COLLATE \"C\", v.property COLLATE \"C\", v.value COLLATE \"C\"";
  return sql;
}

std::string guard_form_sql() {
  return "SELECT COALESCE((SELECT pg_catalog.concat('extension ', COALESCE(s.setting, '(not "
         "loaded)')) FROM "
         "pg_catalog.pg_proc AS p JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace JOIN "
         "pg_catalog.pg_language AS l ON l.oid = p.prolang LEFT JOIN pg_catalog.pg_settings AS s "
         "ON "
         "s.name = 'postern_guard.version' AND s.context = 'internal' WHERE n.nspname = 'postern' "
         "AND p.proname = 'tenant' AND p.pronargs = 0 AND l.lanname = 'c'), 'sql')";
}

std::string wall_hash_sql(const Ruleset& rules, const WallOptions& options) {
  // Lengths in front of the parts: no two different sets of rows make the same bytes.
  return "SELECT pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(COALESCE("
         "pg_catalog.string_agg(pg_catalog.concat(pg_catalog.length(w.section), '.', w.section, "
         "pg_catalog.length(w.object), '.', w.object, pg_catalog.length(w.property), '.', "
         "w.property, pg_catalog.length(w.value), '.', w.value), ''), ''), 'UTF8')), 'hex') FROM "
         "(" +
         wall_verify_sql(rules, options) + ") AS w";
}

}  // namespace postern::policy
