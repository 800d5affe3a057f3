// Lint rules about the wall's own flags and policies, and relations it cannot cover.
#include "policy/lint.hpp"

namespace postern::policy {
namespace {

constexpr LintRule kRules[] = {
    {"L01", "row security off on a tenant table", "every reader sees all tenants' rows", R"sql(
SELECT w.name, 'row security is off', format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY;', w.name)
FROM walled w WHERE NOT w.relrowsecurity
  AND NOT EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = w.oid))sql"},
    {"L02", "row security not forced on a tenant table",
     "its owner, and functions and views of its owner, pass all policies", R"sql(
SELECT w.name, 'row security does not bind the owner ' || pg_get_userbyid(w.relowner),
       format('ALTER TABLE %s FORCE ROW LEVEL SECURITY;', w.name)
FROM walled w WHERE w.relrowsecurity AND NOT w.relforcerowsecurity)sql"},
    {"L03", "partition without row security",
     "a partition named directly has only its own policies", R"sql(
SELECT w.name, 'partition without row security; named directly it shows all tenants',
       format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY;', w.name)
FROM walled w WHERE NOT w.relrowsecurity AND w.relispartition)sql"},
    {"L04", "inheritance child without row security",
     "a child named directly has only its own policies", R"sql(
SELECT w.name, 'inheritance child without row security; named directly it shows all tenants',
       format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY;', w.name)
FROM walled w WHERE NOT w.relrowsecurity AND NOT w.relispartition
  AND EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = w.oid))sql"},
    {"L05", "tenant policy missing", "only permissive policies decide, or none lets a row through",
     R"sql(
SELECT w.name, 'no restrictive policy postern_tenant for everyone and every command',
       '-- run: postern policy apply'
FROM walled w WHERE w.relrowsecurity AND NOT EXISTS (
  SELECT FROM pg_policy p WHERE p.polrelid = w.oid AND p.polname = 'postern_tenant'
    AND NOT p.polpermissive AND p.polcmd = '*' AND p.polroles = '{0}'
    AND strpos(pg_get_expr(p.polqual, p.polrelid), 'postern.tenant()') > 0
    AND pg_get_expr(p.polqual, p.polrelid) = pg_get_expr(p.polwithcheck, p.polrelid)))sql"},
    {"L06", "permissive policy that is always true",
     "it widens every other permissive policy of the table to all of the tenant's rows", R"sql(
SELECT w.name, format('policy %I lets everything through', p.polname),
       format('DROP POLICY %I ON %s;', p.polname, w.name)
FROM walled w JOIN pg_policy p ON p.polrelid = w.oid
WHERE p.polpermissive AND p.polname NOT IN ('postern_allow', 'postern_allow_owner')
  AND COALESCE(p.polqual, p.polwithcheck)::text !~ '\{(VAR|FUNCEXPR|SUBLINK|SUBPLAN|SQLVALUE)'
)sql"},
    {"L07", "materialised view over tenants' rows",
     "it keeps the rows of whoever refreshed it, and row security cannot cover it", R"sql(
SELECT r.name, 'a materialised view has no row security',
       format('DROP MATERIALIZED VIEW %s; -- or make it a view, or list it in [tenant] shared',
              r.name)
FROM rel r JOIN unwallable u ON u.oid = r.oid WHERE r.relkind = 'm')sql"},
    {"L08", "foreign table with tenants' rows that logins may read",
     "row security does not exist on foreign tables",
     R"sql(
SELECT r.name, 'a foreign table has no row security',
       format('REVOKE ALL ON %s FROM PUBLIC%s;', r.name,
              (SELECT string_agg(', ' || m.grantee, '' ORDER BY m.grantee) FROM may m
               WHERE m.oid = r.oid AND m.grantee <> 'PUBLIC'))
FROM rel r JOIN unwallable u ON u.oid = r.oid WHERE r.relkind = 'f'
  AND EXISTS (SELECT FROM may m WHERE m.oid = r.oid))sql"},
    {"L09", "readable parent without the tenant column over tenant tables",
     "read through the parent, children are governed by the parent's policies alone", R"sql(
SELECT r.name, 'parent of tenant tables without a tenant column of its own',
       format('REVOKE ALL ON %s FROM PUBLIC%s;', r.name,
              (SELECT string_agg(', ' || m.grantee, '' ORDER BY m.grantee) FROM may m
               WHERE m.oid = r.oid AND m.grantee <> 'PUBLIC'))
FROM rel r JOIN unwallable u ON u.oid = r.oid WHERE r.relkind IN ('r', 'p')
  AND EXISTS (SELECT FROM may m WHERE m.oid = r.oid))sql"},
    {"L10", "view with its owner's rights over tenant tables",
     "its owner's policies decide instead of the reader's", R"sql(
SELECT r.name, 'view without security_invoker, owned by ' || o.rolname,
       format('ALTER VIEW %s SET (security_invoker = true);', r.name)
FROM rel r JOIN tenant_view v ON v.oid = r.oid JOIN pg_roles o ON o.oid = r.relowner
WHERE NOT (o.rolsuper OR o.rolbypassrls) AND NOT EXISTS (
  SELECT FROM pg_options_to_table(r.reloptions) x
  WHERE x.option_name = 'security_invoker' AND x.option_value::bool))sql"},
    {"L11", "view of a role that row security does not bind", "it shows all tenants' rows to all",
     R"sql(
SELECT r.name, 'view without security_invoker, and its owner ' || o.rolname || ' passes all '
       'policies', format('ALTER VIEW %s SET (security_invoker = true);', r.name)
FROM rel r JOIN tenant_view v ON v.oid = r.oid JOIN pg_roles o ON o.oid = r.relowner
WHERE (o.rolsuper OR o.rolbypassrls) AND NOT EXISTS (
  SELECT FROM pg_options_to_table(r.reloptions) x
  WHERE x.option_name = 'security_invoker' AND x.option_value::bool))sql"},
    {"L12", "table neither with the tenant column nor shared",
     "every tenant that may read it reads all of it", R"sql(
SELECT r.name, 'no tenant column, and not in [tenant] shared', '-- add the tenant column, or list '
       'the table in [tenant] shared'
FROM rel r JOIN undeclared u ON u.oid = r.oid
WHERE EXISTS (SELECT FROM may m WHERE m.oid = r.oid)
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = r.oid AND d.deptype = 'e'))sql"},
    {"L13", "rewrite rule on a tenant table", "its statements run with the table owner's rights",
     R"sql(
SELECT w.name, format('rule %I rewrites statements', k.rulename),
       format('DROP RULE %I ON %s;', k.rulename, w.name)
FROM walled w JOIN pg_rewrite k ON k.ev_class = w.oid)sql"},
    {"L14", "published tenant table", "a subscriber receives the rows of all tenants", R"sql(
SELECT format('%I', p.pubname), 'publishes ' || string_agg(w.name, ', ' ORDER BY w.name),
       format('DROP PUBLICATION %I;', p.pubname)
FROM pg_publication_tables p JOIN walled w ON w.nspname = p.schemaname AND w.relname = p.tablename
GROUP BY p.pubname)sql"},
};

}  // namespace

std::span<const LintRule> lint_table_rules() {
  return kRules;
}

}  // namespace postern::policy
