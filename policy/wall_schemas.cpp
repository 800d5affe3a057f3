#include "policy/wall_schemas.hpp"

#include "policy/sql_quote.hpp"

namespace postern::policy {
namespace {

constexpr std::string_view kBegin =
    "BEGIN;\n"
    "SET LOCAL standard_conforming_strings = on;\n"
    "SET LOCAL client_min_messages = warning;\n"
    "SET LOCAL search_path = '';\n"
    // One wall at a time, as with tenant columns.
    "SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtext('postern.wall'));\n"
    "\n-- What is changed, and what takes it back: for rollback.\n"
    "CREATE SCHEMA IF NOT EXISTS postern;\n"
    "REVOKE ALL ON SCHEMA postern FROM PUBLIC;\n"
    "CREATE TABLE IF NOT EXISTS postern.schema_state (\n"
    "  step bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,\n"
    "  done text NOT NULL,\n"
    "  undo text NOT NULL\n);\n"
    "REVOKE ALL ON postern.schema_state FROM PUBLIC;\n";

// A tenant's role gets the rows of its own schema, once: what is taken from it later stays taken.
constexpr std::string_view kGrantsSql = R"sql(
, fresh AS (
  SELECT s.*, format('%I', s.role_name) AS role_sql FROM tenant_schema s
  WHERE s.role IS NULL OR NOT EXISTS (
    SELECT FROM aclexplode(s.nspacl) a WHERE a.grantee = s.role AND a.privilege_type = 'USAGE')
)
SELECT 1 AS step, format('CREATE ROLE %s LOGIN', f.role_sql), format('DROP ROLE %s', f.role_sql)
FROM fresh f WHERE f.role IS NULL
UNION ALL
SELECT 2, format('GRANT USAGE ON SCHEMA %s TO %s', f.name, f.role_sql),
  format('REVOKE USAGE ON SCHEMA %s FROM %s', f.name, f.role_sql) FROM fresh f
UNION ALL
SELECT 3, format('GRANT %s ON ALL %s IN SCHEMA %s TO %s', k.rights, k.what, f.name, f.role_sql),
  format('REVOKE %s ON ALL %s IN SCHEMA %s FROM %s', k.rights, k.what, f.name, f.role_sql)
FROM fresh f, (VALUES ('SELECT, INSERT, UPDATE, DELETE', 'TABLES'), ('USAGE, SELECT', 'SEQUENCES'))
  AS k (rights, what)
UNION ALL
SELECT 4, format('ALTER DEFAULT PRIVILEGES FOR ROLE %s IN SCHEMA %s GRANT %s ON %s TO %s',
         o.owner::regrole, f.name, k.rights, k.what, f.role_sql),
  format('ALTER DEFAULT PRIVILEGES FOR ROLE %s IN SCHEMA %s REVOKE %s ON %s FROM %s',
         o.owner::regrole, f.name, k.rights, k.what, f.role_sql)
FROM fresh f CROSS JOIN LATERAL (SELECT f.nspowner UNION
  SELECT c.relowner FROM pg_class c WHERE c.relnamespace = f.oid) AS o (owner),
  (VALUES ('SELECT, INSERT, UPDATE, DELETE', 'TABLES'), ('USAGE, SELECT', 'SEQUENCES'))
  AS k (rights, what)
WHERE f.role IS NULL OR o.owner <> f.role
ORDER BY 1)sql";

/// Runs what `query` gives (step, statement, undo) and writes it down.
std::string loop(const std::string& query) {
  return "DO $postern$\nDECLARE\n  change record;\nBEGIN\n  FOR change IN " + query +
         "\n  LOOP\n    EXECUTE change.done;\n"
         "    INSERT INTO postern.schema_state (done, undo) VALUES (change.done, change.undo);\n"
         "  END LOOP;\nEND\n$postern$;\n";
}

}  // namespace

const std::string_view kRestoreSchemasSql = R"sql(
DO $postern$
DECLARE
  change record;
BEGIN
  IF to_regclass('postern.schema_state') IS NULL THEN
    RETURN;
  END IF;
  FOR change IN SELECT s.undo FROM postern.schema_state AS s ORDER BY s.step DESC LOOP
    BEGIN
      EXECUTE change.undo;
    EXCEPTION WHEN undefined_object OR undefined_table OR invalid_schema_name
      OR dependent_objects_still_exist THEN
      RAISE WARNING 'not taken back: %', change.undo;
    END;
  END LOOP;
  DROP TABLE postern.schema_state;
END
$postern$;
)sql";

std::string schema_wall_plan(const Ruleset& rules, const WallOptions& options) {
  const std::string prefix = schema_wall_prefix(rules, options);
  std::string sql(kBegin);
  sql += "\n-- Each tenant's role may use the rows of its own schema.\n";
  sql += loop("SELECT g.done, g.undo FROM (" + prefix + std::string(kGrantsSql) +
              ") AS g (step, done, undo) ORDER BY g.step");
  sql += "\n-- Nobody else may, as far as grants decide.\n";
  sql += loop("SELECT f.repair AS done, f.undo FROM (" + prefix + "\nSELECT * FROM (" +
              schema_wall_findings(rules) +
              ") AS w (object, problem, repair, undo)) AS f WHERE f.undo <> ''");
  return sql + "\nCOMMIT;\n";
}

}  // namespace postern::policy
