#include "policy/wall_trigger.hpp"

#include "base/codes/wall.hpp"
#include "base/error.hpp"
#include "policy/sql_quote.hpp"
#include "policy/wall_plan.hpp"
#include "policy/wall_rules.hpp"
#include "policy/wall_state.hpp"

namespace postern::policy {
namespace {

/// A glob as a regular expression of PostgreSQL.
std::string regex_of(std::string_view glob) {
  std::string out = "^";
  for (const char c : glob) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '_' || static_cast<unsigned char>(c) >= 0x80;
    if (c == '*')
      out += ".*";
    else if (c == '?')
      out += ".";
    else
      out += plain ? std::string(1, c) : std::string("\\") + c;
  }
  return out + "$";
}

std::string refuse(Pst code, std::string_view object) {
  const PstInfo& info = pst_info(code);
  return "RAISE EXCEPTION USING ERRCODE = " + quote_literal(info.sqlstate) +
         ", MESSAGE = pg_catalog.concat(" + quote_literal(std::string(info.message) + ": ") + ", " +
         std::string(object) + "), DETAIL = " + quote_literal(pst_label(code)) +
         ", HINT = " + quote_literal(info.hint) + ";";
}

std::string shared_regexes(const Ruleset& rules) {
  std::string out;
  for (const std::string& glob : rules.options.shared) {
    out += (out.empty() ? "" : ", ") + quote_literal(regex_of(glob));
  }
  return "ARRAY[" + out + "]::text[]";
}

/// Business policies as rows (pattern, name, clauses, permissive, source).
std::string rule_rows(const Ruleset& rules) {
  std::string out = "SELECT NULL::text, NULL::text, NULL::text, NULL::bool, NULL::text WHERE false";
  for (const TableRule& table : rules.options.tables) {
    for (const BusinessRule& rule : table.policies) {
      out += "\n      UNION ALL SELECT " + quote_literal(regex_of(table.table)) + ", " +
             quote_literal(rule_name(rule)) + ", " + quote_literal(rule_clauses(rule)) + ", " +
             (rule.permissive ? "true" : "false") + ", " + quote_literal(rule_source(rule));
    }
  }
  return out;
}

// The relation and everything it is a partition or child of, by qualified name.
constexpr std::string_view kFamily = R"(
  WITH RECURSIVE family (oid) AS (
    SELECT target.oid UNION
    SELECT i.inhparent FROM pg_inherits AS i JOIN family AS f ON f.oid = i.inhrelid
  ), named (name) AS (
    SELECT concat(n.nspname, '.', c.relname) FROM family AS f JOIN pg_class AS c ON c.oid = f.oid
      JOIN pg_namespace AS n ON n.oid = c.relnamespace
  ), configured (pattern, name, clauses, permissive, source) AS (
      )";
constexpr std::string_view kMatching = R"(
  )
  SELECT DISTINCT ON (r.name) r.name, r.clauses, r.permissive, r.source
    FROM configured AS r JOIN named ON named.name ~ r.pattern ORDER BY r.name)";

// Unwalled tables with a tenant column, and what a column's type is at its root.
constexpr std::string_view kUnwalled = R"(
  FOR target IN
    SELECT c.oid, c.oid::regclass::text AS name, c.relrowsecurity, c.relforcerowsecurity,
           postern.wall_column(c.oid) AS tenant,
           quote_ident(pg_get_userbyid(c.relowner)) AS owner
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
      AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'postern')
      AND n.nspname !~ '^pg_(toast|temp_)' AND pg_has_role(c.relowner, 'USAGE')
      AND NOT EXISTS (SELECT FROM pg_policy AS p WHERE p.polrelid = c.oid
                      AND p.polname = 'postern_tenant')
  LOOP
    -- Walling one table runs this function again.
    CONTINUE WHEN COALESCE(target.tenant, '') = '' OR EXISTS (
      SELECT FROM pg_policy AS p WHERE p.polrelid = target.oid AND p.polname = 'postern_tenant');
    WITH RECURSIVE base (oid, above) AS (
      SELECT t.oid, t.typbasetype FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid
        WHERE a.attrelid = target.oid AND a.attname = target.tenant
      UNION ALL SELECT t.oid, t.typbasetype FROM base AS b JOIN pg_type AS t ON t.oid = b.above
        WHERE b.above <> 0
    )
    SELECT CASE b.oid WHEN 25 THEN '' WHEN 1043 THEN '' WHEN 1042 THEN '::pg_catalog.bpchar'
             WHEN 21 THEN '::pg_catalog.int2' WHEN 23 THEN '::pg_catalog.int4'
             WHEN 20 THEN '::pg_catalog.int8' WHEN 2950 THEN '::pg_catalog.uuid' END
      INTO cast_to FROM base AS b WHERE b.above = 0;
    IF cast_to IS NULL THEN
      )";

constexpr std::string_view kRaise = R"(
    END IF;
    same := format('%I = (SELECT postern.tenant()%s)', target.tenant, cast_to);
    narrowed := false;
    allow := CASE WHEN target.relrowsecurity AND target.relforcerowsecurity THEN ''
                  WHEN target.relrowsecurity THEN 'postern_allow_owner'
                  WHEN EXISTS (SELECT FROM pg_policy AS p WHERE p.polrelid = target.oid
                               AND p.polpermissive) THEN ''
                  ELSE 'postern_allow' END;
    EXECUTE format('CREATE POLICY postern_tenant ON %s AS RESTRICTIVE FOR ALL TO PUBLIC '
                   'USING (%s) WITH CHECK (%s)', target.name, same, same);
    -- What wall_record() notes for a rollback: a table may have had row security of its own.
    EXECUTE format('COMMENT ON POLICY postern_tenant ON %s IS %L', target.name,
                   format('before the wall: enabled=%s forced=%s', target.relrowsecurity,
                          target.relforcerowsecurity));
    FOR rule IN )";

constexpr std::string_view kRaised = R"(
    LOOP
      EXECUTE format('CREATE POLICY %I ON %s', rule.name, target.name) || rule.clauses;
      narrowed := narrowed OR rule.permissive;
    END LOOP;
    IF allow <> '' THEN
      EXECUTE format('CREATE POLICY %I ON %s AS PERMISSIVE FOR ALL TO %s USING (%s) '
                     'WITH CHECK (%s)', allow, target.name,
                     CASE allow WHEN 'postern_allow' THEN 'PUBLIC' ELSE target.owner END,
                     CASE WHEN narrowed THEN 'false' ELSE 'true' END,
                     CASE WHEN narrowed THEN 'false' ELSE 'true' END);
    END IF;
    -- In one: postern.wall_kept() looks behind each command.
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY',
                   target.name);
  END LOOP;
)";

// What this command made: a table without tenant, something row security cannot cover, a view.
constexpr std::string_view kMade = R"(
  FOR made IN
    SELECT d.objid, d.command_tag, d.object_identity, c.relkind, postern.wall_column(d.objid)
           AS tenant
    FROM pg_event_trigger_ddl_commands() AS d JOIN pg_class AS c ON c.oid = d.objid
      JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE d.classid = 'pg_class'::regclass AND NOT d.in_extension AND c.relpersistence <> 't'
      AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'postern')
  LOOP
    WITH RECURSIVE reads (oid) AS (
      SELECT made.objid UNION
      SELECT p.refobjid FROM reads AS v JOIN pg_rewrite AS w ON w.ev_class = v.oid
        JOIN pg_depend AS p ON p.classid = 'pg_rewrite'::regclass AND p.objid = w.oid
          AND p.refclassid = 'pg_class'::regclass
    )
    SELECT EXISTS (SELECT FROM reads AS v JOIN pg_policy AS p ON p.polrelid = v.oid
                   WHERE p.polname = 'postern_tenant') INTO shows;
    IF made.relkind = 'v' AND shows AND NOT EXISTS (
        SELECT FROM pg_class AS c, pg_options_to_table(c.reloptions) AS o WHERE c.oid = made.objid
          AND o.option_name = 'security_invoker' AND o.option_value::bool) THEN
      EXECUTE format('ALTER VIEW %s SET (security_invoker = true)', made.objid::regclass);
    ELSIF made.relkind = 'm' AND shows AND made.tenant IS DISTINCT FROM '' OR made.relkind = 'f'
        AND COALESCE(made.tenant, '') <> '' THEN
      )";

constexpr std::string_view kMadeTable = R"(
    ELSIF made.relkind IN ('r', 'p') AND made.tenant IS NULL
        AND made.command_tag IN ('CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO') THEN
      )";

constexpr std::string_view kEnable =
    "  ALTER EVENT TRIGGER postern_wall_1 ENABLE ALWAYS;\n"
    "  ALTER EVENT TRIGGER postern_wall_2 ENABLE ALWAYS;\n"
    "  ALTER EVENT TRIGGER postern_wall_3 ENABLE ALWAYS;\n"
    "  ALTER EVENT TRIGGER postern_wall_4 ENABLE ALWAYS;\n";

}  // namespace

std::string wall_column_body(const Ruleset& rules) {
  const PolicyOptions& options = rules.options;
  std::string sql = R"(
DECLARE
  full_name pg_catalog.text;
  is_shared pg_catalog.bool;
  tenant pg_catalog.text := '';
  parent pg_catalog.oid;
BEGIN
  SELECT pg_catalog.concat(n.nspname, '.', c.relname) INTO full_name FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = relation;
  is_shared := EXISTS (SELECT FROM unnest()" +
                    shared_regexes(rules) + R"() AS s (pattern) WHERE full_name ~ s.pattern);
)";
  for (const TableRule& rule : options.tables) {
    sql += "  IF full_name ~ " + quote_literal(regex_of(rule.table)) +
           " THEN tenant := " + quote_literal(rule.tenant_column) + "; END IF;\n";
  }
  sql +=
      "  IF tenant = '' AND NOT is_shared THEN tenant := " + quote_literal(options.tenant_column) +
      R"(; END IF;
  IF tenant <> '' AND EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = relation
      AND a.attname = tenant AND NOT a.attisdropped) THEN
    RETURN tenant;
  END IF;
  FOR parent IN SELECT i.inhparent FROM pg_inherits AS i WHERE i.inhrelid = relation
    ORDER BY i.inhseqno
  LOOP
    tenant := postern.wall_column(parent);
    IF COALESCE(tenant, '') <> '' THEN
      RETURN tenant;
    END IF;
  END LOOP;
  RETURN CASE WHEN is_shared THEN '' END;
END
)";
  return sql;
}

std::string wall_new_body(const Ruleset& rules) {
  std::string sql = R"(
DECLARE
  target record;
  rule record;
  made record;
  cast_to text;
  same text;
  allow text;
  narrowed bool;
  shows bool;
BEGIN)" + std::string(kUnwalled) +
                    refuse(pst::kNewRelationUnwallable, "target.name") + std::string(kRaise) +
                    std::string(kFamily) + rule_rows(rules) + std::string(kMatching) +
                    std::string(kRaised) + std::string(kMade) +
                    refuse(pst::kNewRelationUnwallable, "made.object_identity");
  if (rules.options.refuse_new_tables) {
    sql += std::string(kMadeTable) + refuse(pst::kNewTableRefused, "made.object_identity");
  }
  return sql + R"(
    END IF;
  END LOOP;
END
)";
}

std::string wall_record_body(const Ruleset& rules) {
  return R"(
DECLARE
  target record;
BEGIN
  -- Half a wall is mended by policy apply; meanwhile it is drift.
  IF to_regclass('postern.wall_state') IS NULL THEN
    RETURN;
  END IF;
  FOR target IN
    SELECT c.oid, pg_get_userbyid(c.relowner) AS owner,
           obj_description(p.oid, 'pg_policy') AS before
    FROM pg_class AS c JOIN pg_policy AS p ON p.polrelid = c.oid
    WHERE p.polname = 'postern_tenant'
      AND NOT EXISTS (SELECT FROM postern.wall_state AS s WHERE s.relation = c.oid)
  LOOP
    INSERT INTO postern.wall_state (relation, had_row_security, had_force, had_invoker, allow,
                                    owner, rule_source)
    -- Where nothing is said, row security stays on behind a rollback unless it was surely off.
    SELECT target.oid, COALESCE(target.before LIKE '% enabled=t %', found.word <> 'public'),
           COALESCE(target.before LIKE '% forced=t', found.word = 'none'), '', found.word,
           target.owner,
           ARRAY(SELECT r.source FROM ()" +
         std::string(kFamily) + rule_rows(rules) + std::string(kMatching) + R"() AS r)
    FROM (SELECT CASE WHEN bool_or(p.polname = 'postern_allow') THEN 'public'
                      WHEN bool_or(p.polname = 'postern_allow_owner') THEN 'owner'
                      ELSE 'none' END
          FROM pg_policy AS p WHERE p.polrelid = target.oid) AS found (word);
    UPDATE postern.wall_state SET known = )" +
         known_policies_sql() + ", rule_printed = " + printed_rules_sql() + R"(
      WHERE postern.wall_state.relation = target.oid;
  END LOOP;
END
)";
}

std::string create_event_triggers_sql() {
  return "\n-- New tables are walled, or refused, in the transaction that makes them.\n"
         "DO $postern$\nBEGIN\n"
         "  CREATE EVENT TRIGGER postern_wall_1 ON ddl_command_end WHEN TAG IN ('CREATE TABLE',\n"
         "    'CREATE TABLE AS', 'SELECT INTO', 'ALTER TABLE', 'CREATE VIEW', 'ALTER VIEW',\n"
         "    'CREATE MATERIALIZED VIEW', 'CREATE FOREIGN TABLE', 'ALTER FOREIGN TABLE',\n"
         "    'IMPORT FOREIGN SCHEMA', 'CREATE SCHEMA')\n"
         "    EXECUTE FUNCTION postern.wall_new();\n"
         "  CREATE EVENT TRIGGER postern_wall_2 ON ddl_command_end WHEN TAG IN ('CREATE TABLE',\n"
         "    'CREATE TABLE AS', 'SELECT INTO', 'ALTER TABLE', 'CREATE SCHEMA')\n"
         "    EXECUTE FUNCTION postern.wall_record();\n"
         "  CREATE EVENT TRIGGER postern_wall_3 ON ddl_command_end WHEN TAG IN ('ALTER TABLE',\n"
         "    'ALTER POLICY')\n"
         "    EXECUTE FUNCTION postern.wall_kept();\n"
         "  CREATE EVENT TRIGGER postern_wall_4 ON sql_drop EXECUTE FUNCTION "
         "postern.wall_kept();\n" +
         std::string(kEnable) +
         "EXCEPTION\n"
         "  WHEN insufficient_privilege THEN\n"
         "    RAISE WARNING 'no event trigger: that takes a superuser. A new table closes the "
         "database until policy apply';\n"
         "  WHEN duplicate_object THEN\n    NULL;  -- of a superuser\n"
         "END\n$postern$;\n";
}

std::string drop_event_triggers_sql() {
  return "DO $postern$\nBEGIN\n"
         "  DROP EVENT TRIGGER IF EXISTS postern_wall_1;\n"
         "  DROP EVENT TRIGGER IF EXISTS postern_wall_2;\n"
         "  DROP EVENT TRIGGER IF EXISTS postern_wall_3;\n"
         "  DROP EVENT TRIGGER IF EXISTS postern_wall_4;\n"
         "EXCEPTION WHEN insufficient_privilege THEN\n  NULL;  -- they stay as a superuser made "
         "them\n"
         "END\n$postern$;\n";
}

}  // namespace postern::policy
