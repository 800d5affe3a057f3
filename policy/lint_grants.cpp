// Lint rules about privileges on relations, schemas and the database.
#include "policy/lint.hpp"

namespace postern::policy {
namespace {

constexpr LintRule kRules[] = {
    {"L23", "all privileges on a table", "TRUNCATE, TRIGGER and REFERENCES know no row security",
     R"sql(
SELECT m.name, m.grantee || ' has all privileges',
       format('REVOKE TRUNCATE, REFERENCES, TRIGGER ON %s FROM %s;', m.name, m.grantee)
FROM may m WHERE m.relkind IN ('r', 'p') AND m.rights @> '{TRUNCATE,REFERENCES,TRIGGER}')sql"},
    {"L24", "TRUNCATE on a table", "one tenant can empty the table for all", R"sql(
SELECT m.name, m.grantee || ' may truncate it',
       format('REVOKE TRUNCATE ON %s FROM %s;', m.name, m.grantee)
FROM may m WHERE m.relkind IN ('r', 'p') AND m.rights @> '{TRUNCATE}'
  AND NOT m.rights @> '{TRUNCATE,REFERENCES,TRIGGER}')sql"},
    {"L25", "TRIGGER on a table",
     "a trigger runs in the sessions of all tenants and sees their rows",
     R"sql(
SELECT m.name, m.grantee || ' may put triggers on it',
       format('REVOKE TRIGGER ON %s FROM %s;', m.name, m.grantee)
FROM may m WHERE m.relkind IN ('r', 'p') AND m.rights @> '{TRIGGER}'
  AND NOT m.rights @> '{TRUNCATE,REFERENCES,TRIGGER}')sql"},
    {"L26", "REFERENCES on a table", "a foreign key tells whether a row exists, and keeps it",
     R"sql(
SELECT m.name, m.grantee || ' may point foreign keys to it',
       format('REVOKE REFERENCES ON %s FROM %s;', m.name, m.grantee)
FROM may m WHERE m.relkind IN ('r', 'p') AND m.rights @> '{REFERENCES}'
  AND NOT m.rights @> '{TRUNCATE,REFERENCES,TRIGGER}')sql"},
    {"L27", "UPDATE on a sequence", "one tenant can set the numbers of all", R"sql(
SELECT m.name, m.grantee || ' may set it', format('REVOKE UPDATE ON SEQUENCE %s FROM %s;', m.name,
       m.grantee)
FROM may m WHERE m.relkind = 'S' AND m.rights @> '{UPDATE}')sql"},
    {"L28", "default privileges beyond rows",
     "tables made later can be truncated, or bear triggers",
     R"sql(
SELECT format('default privileges of %I', pg_get_userbyid(d.defaclrole)), format('tables made by '
       'it give %s to %s', string_agg(a.privilege_type, ', ' ORDER BY a.privilege_type), g.name),
       format('ALTER DEFAULT PRIVILEGES FOR ROLE %I%s REVOKE %s ON TABLES FROM %s;',
              pg_get_userbyid(d.defaclrole),
              CASE WHEN n.oid IS NULL THEN '' ELSE format(' IN SCHEMA %I', n.nspname) END,
              string_agg(a.privilege_type, ', ' ORDER BY a.privilege_type), g.name)
FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace, aclexplode(d.defaclacl)
     a, LATERAL (SELECT CASE WHEN a.grantee = 0 THEN 'PUBLIC'
                        ELSE quote_ident(pg_get_userbyid(a.grantee)) END) AS g (name)
WHERE d.defaclobjtype = 'r' AND a.grantee <> d.defaclrole
  AND a.privilege_type IN ('TRUNCATE', 'TRIGGER', 'REFERENCES') AND (a.grantee = 0 OR
      EXISTS (SELECT FROM bound b WHERE pg_has_role(b.oid, a.grantee, 'MEMBER')))
GROUP BY d.oid, d.defaclrole, n.oid, n.nspname, g.name)sql"},
    {"L29", "CREATE on a schema", "tables, functions and operators of a tenant shadow others'",
     R"sql(
SELECT format('%I', n.nspname), g.name || ' may create objects in the schema',
       format('REVOKE CREATE ON SCHEMA %I FROM %s;', n.nspname, g.name)
FROM pg_namespace n, aclexplode(n.nspacl) a,
     LATERAL (SELECT CASE WHEN a.grantee = 0 THEN 'PUBLIC'
                     ELSE quote_ident(pg_get_userbyid(a.grantee)) END) AS g (name)
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp_)'
  AND a.privilege_type = 'CREATE' AND a.grantee <> n.nspowner
  AND (a.grantee = 0 OR EXISTS (SELECT FROM bound b WHERE pg_has_role(b.oid, a.grantee, 'MEMBER')))
)sql"},
    {"L30", "CREATE on the database", "schemas and trusted extensions of a tenant", R"sql(
SELECT format('%I', d.datname), g.name || ' may create schemas in the database',
       format('REVOKE CREATE ON DATABASE %I FROM %s;', d.datname, g.name)
FROM pg_database d, aclexplode(d.datacl) a,
     LATERAL (SELECT CASE WHEN a.grantee = 0 THEN 'PUBLIC'
                     ELSE quote_ident(pg_get_userbyid(a.grantee)) END) AS g (name)
WHERE d.datname = current_database() AND a.privilege_type = 'CREATE' AND a.grantee <> d.datdba
  AND (a.grantee = 0 OR EXISTS (SELECT FROM bound b WHERE pg_has_role(b.oid, a.grantee, 'MEMBER')))
)sql"},
    {"L31", "keys of the wall readable", "whoever reads them can sign any tenant", R"sql(
SELECT 'postern.context_key', format('%s has %s', g.name, string_agg(a.privilege_type, ', ')),
       format('REVOKE ALL ON postern.context_key FROM %s;', g.name)
FROM pg_class c, aclexplode(c.relacl) a,
     LATERAL (SELECT CASE WHEN a.grantee = 0 THEN 'PUBLIC'
                     ELSE quote_ident(pg_get_userbyid(a.grantee)) END) AS g (name)
WHERE c.oid = to_regclass('postern.context_key') AND a.grantee <> c.relowner
GROUP BY g.name
UNION ALL
SELECT 'postern.context_key', 'row security does not bind pg_read_all_data',
       'ALTER TABLE postern.context_key ENABLE ROW LEVEL SECURITY; '
       'ALTER TABLE postern.context_key FORCE ROW LEVEL SECURITY;'
FROM pg_class c WHERE c.oid = to_regclass('postern.context_key')
  AND NOT (c.relrowsecurity AND c.relforcerowsecurity))sql"},
};

}  // namespace

std::span<const LintRule> lint_grant_rules() {
  return kRules;
}

}  // namespace postern::policy
