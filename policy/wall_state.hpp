// SQL around postern.wall_state: what relations were before the wall, and which policies of others
// stood on them when it was reviewed.
#pragma once

#include <string>
#include <string_view>

#include "policy/wall_plan.hpp"
#include "policy/wall_rules.hpp"

namespace postern::policy {

[[nodiscard]] inline bool is_own_policy(std::string_view name) {
  return name == kTenantPolicy || name == kAllowPolicy || name == kAllowOwnerPolicy ||
         name.starts_with(kRulePrefix);
}

/// One text for everything a policy (pg_policy AS p) says, names and expressions included.
inline constexpr std::string_view kPolicyTextSql =
    "pg_catalog.concat_ws('|', CASE WHEN p.polpermissive THEN 'permissive' ELSE 'restrictive' END, "
    "p.polcmd::text, (SELECT pg_catalog.string_agg(CASE WHEN r.oid OPERATOR(pg_catalog.=) 0 THEN "
    "'public' ELSE pg_catalog.pg_get_userbyid(r.oid)::text END, ',' ORDER BY r.oid) FROM "
    "pg_catalog.unnest(p.polroles) AS r(oid)), "
    "COALESCE(pg_catalog.pg_get_expr(p.polqual, p.polrelid), ''), "
    "COALESCE(pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid), ''))";

/// SQL arrays over the policies of `relation`, a column of the statement around: those of others,
/// and the business policies as the server prints them.
std::string known_policies_sql();
std::string printed_rules_sql();

/// Records the policies of others on a table (quoted name) as reviewed.
std::string remember_policies_sql(const std::string& table);

/// Takes the wall off every relation that wall_state remembers, as it was before.
inline constexpr std::string_view kRestoreSql = R"(
DO $postern$
DECLARE
  state record;
  policy record;
BEGIN
  IF to_regclass('postern.wall_state') IS NULL THEN
    RETURN;
  END IF;
  FOR state IN
    SELECT s.*, c.relkind FROM postern.wall_state AS s JOIN pg_class AS c ON c.oid = s.relation
    ORDER BY s.relation::text
  LOOP
    FOR policy IN
      SELECT p.polname FROM pg_policy AS p WHERE p.polrelid = state.relation
        AND (p.polname IN ('postern_tenant', 'postern_allow', 'postern_allow_owner')
          OR starts_with(p.polname::text, 'postern_rule_'))
    LOOP
      EXECUTE format('DROP POLICY %I ON %s', policy.polname, state.relation);
    END LOOP;
    IF state.relkind = 'v' THEN
      IF state.had_invoker = '' THEN
        EXECUTE format('ALTER VIEW %s RESET (security_invoker)', state.relation);
      ELSE
        EXECUTE format('ALTER VIEW %s SET (security_invoker = %L)', state.relation,
                       state.had_invoker);
      END IF;
      CONTINUE;
    END IF;
    IF NOT state.had_row_security THEN
      EXECUTE format('ALTER TABLE %s DISABLE ROW LEVEL SECURITY', state.relation);
    END IF;
    IF NOT state.had_force THEN
      EXECUTE format('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY', state.relation);
    END IF;
  END LOOP;
END
$postern$;
)";

}  // namespace postern::policy
