#include "policy/wall_grants.hpp"

#include "policy/sql_quote.hpp"

namespace postern::policy {

std::string grants_section(std::string_view owner_role) {
  return "CREATE TABLE IF NOT EXISTS postern.wall_grant (\n"
         "  relation regclass NOT NULL,\n"
         "  grantee text NOT NULL,  -- '' = PUBLIC\n"
         "  privilege text NOT NULL,\n"
         "  grantable boolean NOT NULL,\n"
         "  PRIMARY KEY (relation, grantee, privilege)\n);\n"
         "ALTER TABLE postern.wall_grant OWNER TO " +
         quote_ident(owner_role) +
         ";\n"
         "REVOKE ALL ON postern.wall_grant FROM PUBLIC;\n"
         "GRANT SELECT ON postern.wall_grant TO PUBLIC;\n";
}

std::string reduce_grants_sql(const WallOptions& options) {
  std::string roles;
  for (const std::string& role : options.app_roles) {
    roles += (roles.empty() ? "" : ", ") + quote_literal(role);
  }
  return R"(
-- Privileges that row security does not know.
DO $postern$
DECLARE
  has record;
BEGIN
  FOR has IN
    SELECT c.oid, c.oid::regclass::text AS name, a.privilege_type, a.is_grantable,
           CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS kind,
           CASE a.grantee WHEN 0 THEN '' ELSE pg_get_userbyid(a.grantee) END AS grantee
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace, aclexplode(c.relacl) AS a
    WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'postern')
      AND c.relpersistence <> 't' AND a.grantee <> c.relowner AND pg_has_role(c.relowner, 'USAGE')
      AND (c.relkind IN ('r', 'p') AND a.privilege_type IN ('TRUNCATE', 'REFERENCES', 'TRIGGER')
           OR c.relkind = 'S' AND a.privilege_type = 'UPDATE')
      AND (a.grantee = 0 OR EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = ANY (ARRAY[)" +
         roles + R"(]::text[])
             AND NOT r.rolsuper AND pg_has_role(r.oid, a.grantee, 'MEMBER')))
  LOOP
    INSERT INTO postern.wall_grant (relation, grantee, privilege, grantable)
      VALUES (has.oid, has.grantee, has.privilege_type, has.is_grantable) ON CONFLICT DO NOTHING;
    EXECUTE format('REVOKE %s ON %s %s FROM %s', has.privilege_type, has.kind, has.name,
                   CASE has.grantee WHEN '' THEN 'PUBLIC' ELSE quote_ident(has.grantee) END);
  END LOOP;
END
$postern$;
)";
}

}  // namespace postern::policy
