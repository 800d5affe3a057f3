#include "policy/lint.hpp"

#include <algorithm>

#include "policy/closure.hpp"
#include "policy/extension_risks.hpp"
#include "policy/glob.hpp"
#include "policy/sql_quote.hpp"
#include "policy/wall_schemas.hpp"
#include "policy/wall_table.hpp"

namespace postern::policy {
namespace {

// What every rule may read. `rel`: relations of users; `walled`: tables that must bear the wall,
// with their tenant column; `login`: roles of pooled connections, `bound` those that privileges
// hold at all; `may`: who else than its owner may do what with a relation.
constexpr std::string_view kPrefix = R"sql(
rel AS MATERIALIZED (
  SELECT c.oid, c.relname, n.nspname, c.relkind, c.relowner, c.relacl, c.relispartition,
         c.relrowsecurity, c.relforcerowsecurity, c.reloptions,
         format('%I.%I', n.nspname, c.relname) AS name
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'postern')
    AND n.nspname !~ '^pg_(toast|temp_)' AND c.relpersistence <> 't'
), walled AS MATERIALIZED (
  SELECT r.*, t.attnum AS tenant_attnum, a.attname AS tenant_column
  FROM rel r JOIN tenant_table t ON t.oid = r.oid
  JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = t.attnum
), login AS MATERIALIZED (
  SELECT r.* FROM pg_roles r WHERE r.rolname = ANY (SELECT n.name FROM login_name n)
), bound AS MATERIALIZED (
  SELECT * FROM login WHERE NOT rolsuper
), may AS MATERIALIZED (
  SELECT r.oid, r.name, r.relkind, CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE
         quote_ident(pg_get_userbyid(a.grantee)) END AS grantee,
         array_agg(DISTINCT a.privilege_type::text) AS rights
  FROM rel r, aclexplode(r.relacl) a
  WHERE a.grantee <> r.relowner AND (a.grantee = 0 OR
        EXISTS (SELECT FROM bound b WHERE pg_has_role(b.oid, a.grantee, 'MEMBER')))
  GROUP BY r.oid, r.name, r.relkind, a.grantee
)
)sql";

/// A table expression of oids; never an empty VALUES list, which SQL does not have.
std::string oid_list(std::string_view name, const std::vector<Oid>& oids) {
  std::string sql = std::string(name) + " (oid) AS (SELECT NULL::oid WHERE false";
  for (const Oid oid : oids) sql += " UNION ALL SELECT " + std::to_string(oid) + "::oid";
  return sql + "), ";
}

std::string tenant_tables(const Ruleset& rules) {
  std::string sql = "tenant_table (oid, attnum) AS (SELECT NULL::oid, NULL::int2 WHERE false";
  for (const auto& [oid, table] : rules.tenant_tables) {
    sql += " UNION ALL SELECT " + std::to_string(oid) + "::oid, " + std::to_string(table.attnum) +
           "::int2";
  }
  return sql + "), ";
}

/// Logins of the configuration and, where tenants have schemas, the tenants' roles.
std::string logins(const Ruleset& rules, const WallOptions& options) {
  std::string sql = "login_name (name) AS (SELECT NULL::text WHERE false";
  for (const std::string& role : options.app_roles) {
    sql += " UNION ALL SELECT " + quote_literal(role);
  }
  if (rules.options.schemas) {
    sql += " UNION ALL SELECT r.rolname::text FROM pg_roles r WHERE " +
           template_matches_sql(rules.options.schemas->role, "r.rolname::text");
  }
  return sql + "), wall_owner (name) AS (SELECT " + quote_literal(options.owner_role) + "::text), ";
}

std::string extensions() {
  std::string sql = "reported_extension (name) AS (SELECT NULL::text WHERE false";
  for (const std::string_view name : reported_extensions()) {
    sql += " UNION ALL SELECT " + quote_literal(name);
  }
  return sql + "), ";
}

bool is_shared(const Ruleset& rules, const sql::Relation& relation) {
  return std::any_of(
      rules.options.shared.begin(), rules.options.shared.end(),
      [&](const std::string& glob) { return glob_match(glob, relation.qualified()); });
}

/// Tables that nobody said have no tenant.
std::vector<Oid> undeclared(const Ruleset& rules) {
  std::vector<Oid> out;
  for (const auto& [oid, relation] : rules.catalog->relations()) {
    const bool counts = is_table(relation) && !in_system_schema(relation) &&
                        relation.persistence != sql::Persistence::kTemporary;
    const bool known = rules.tenant_tables.contains(oid) || rules.unwallable.contains(oid);
    const bool one_tenants = rules.is_tenant_schema(relation.schema);
    if (counts && !known && !one_tenants && !is_shared(rules, relation)) out.push_back(oid);
  }
  return out;
}

/// Event triggers wall new tables; where tenants have schemas a new one is nobody else's.
bool is_moot(const LintRule& rule, const Ruleset& rules) {
  return rules.options.schemas && rule.id == "L50";
}

std::vector<Oid> views_of(const Ruleset& rules) {
  std::vector<Oid> out;
  for (const sql::Relation* view : walled_views(rules)) out.push_back(view->oid);
  return out;
}

/// First minor versions that mend a way through row security or its statistics.
struct Floor {
  int major;
  int minor;
};
constexpr Floor kFloors[] = {{15, 14}, {16, 10}, {17, 6}};

}  // namespace

std::vector<LintRule> lint_rules() {
  std::vector<LintRule> out;
  for (const auto rules : {lint_table_rules(), lint_key_rules(), lint_grant_rules(),
                           lint_role_rules(), lint_code_rules(), lint_server_rules()}) {
    out.insert(out.end(), rules.begin(), rules.end());
  }
  std::sort(out.begin(), out.end(),
            [](const LintRule& a, const LintRule& b) { return a.id < b.id; });
  return out;
}

std::string lint_sql(const LintRule& rule, const Ruleset& rules, const WallOptions& options) {
  const std::vector<Oid> unwallable(rules.unwallable.begin(), rules.unwallable.end());
  return "WITH " + tenant_tables(rules) + oid_list("unwallable", unwallable) +
         oid_list("undeclared", undeclared(rules)) + oid_list("tenant_view", views_of(rules)) +
         logins(rules, options) + extensions() + std::string(kPrefix) +
         "SELECT f.object, f.reason, f.repair FROM (" + std::string(rule.sql) +
         ") AS f (object, reason, repair) WHERE " + (is_moot(rule, rules) ? "false" : "true") +
         " ORDER BY f.object, f.reason";
}

std::vector<LintFinding> lint_version(int version) {
  for (const Floor& floor : kFloors) {
    if (floor.major != version / 10000 || version % 10000 >= floor.minor) continue;
    const std::string wanted = std::to_string(floor.major) + "." + std::to_string(floor.minor);
    return {{"L40", "server",
             "a version with known ways through row security (CVE-2024-10976, CVE-2025-8713)",
             "-- upgrade to " + wanted + " or newer"}};
  }
  return {};
}

bool is_accepted(const LintFinding& finding, const std::vector<std::string>& accepted) {
  return std::any_of(accepted.begin(), accepted.end(), [&](const std::string& entry) {
    if (entry == finding.rule) return true;
    const std::string prefix = finding.rule + " ";
    return entry.starts_with(prefix) && glob_match(entry.substr(prefix.size()), finding.object);
  });
}

}  // namespace postern::policy
