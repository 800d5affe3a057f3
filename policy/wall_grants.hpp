// Privileges that row security does not know: taken from application logins where the owner agrees
// ([policy] reduce_grants), and given back by the rollback.
#pragma once

#include <string>
#include <string_view>

#include "policy/wall_plan.hpp"

namespace postern::policy {

/// The table that remembers what was taken.
std::string grants_section(std::string_view owner_role);

/// Revokes TRUNCATE, REFERENCES and TRIGGER on tables and UPDATE on sequences from PUBLIC and every
/// role whose member an application role is.
std::string reduce_grants_sql(const WallOptions& options);

/// Grants again what wall_grant remembers.
inline constexpr std::string_view kRestoreGrantsSql = R"(
DO $postern$
DECLARE
  was record;
BEGIN
  IF to_regclass('postern.wall_grant') IS NULL THEN
    RETURN;
  END IF;
  FOR was IN
    SELECT g.privilege, g.relation::text AS name, g.grantee, g.grantable,
           CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS kind
    FROM postern.wall_grant AS g JOIN pg_class AS c ON c.oid = g.relation
    WHERE g.grantee = '' OR EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = g.grantee)
  LOOP
    EXECUTE format('GRANT %s ON %s %s TO %s%s', was.privilege, was.kind, was.name,
                   CASE was.grantee WHEN '' THEN 'PUBLIC' ELSE quote_ident(was.grantee) END,
                   CASE WHEN was.grantable THEN ' WITH GRANT OPTION' ELSE '' END);
  END LOOP;
END
$postern$;
)";

}  // namespace postern::policy
