#include "policy/wall_plan.hpp"

#include "base/codes/gate.hpp"
#include "policy/sql_quote.hpp"
#include "policy/wall_functions.hpp"
#include "policy/wall_grants.hpp"
#include "policy/wall_rules.hpp"
#include "policy/wall_schemas.hpp"
#include "policy/wall_state.hpp"
#include "policy/wall_table.hpp"
#include "policy/wall_trigger.hpp"

namespace postern::policy {
namespace {

constexpr std::string_view kOpen =
    "BEGIN;\n"
    "SET LOCAL standard_conforming_strings = on;\n"
    "SET LOCAL client_min_messages = warning;\n"
    "SET LOCAL search_path = pg_catalog, pg_temp;\n"
    // One wall at a time: two plans run at once would see each other's halves.
    "SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtext('postern.wall'));\n";
constexpr std::string_view kClose = "COMMIT;\n";

std::string owner_section(const std::string& owner) {
  const std::string name = quote_ident(owner);
  const std::string text = quote_literal(owner);
  return "\n-- The owner of everything below: nobody logs in as it. It needs pg_read_all_stats to\n"
         "-- see when a session's backend started.\n"
         "DO $postern$\nBEGIN\n"
         "  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = " +
         text +
         ") THEN\n"
         "    CREATE ROLE " +
         name +
         " NOLOGIN;\n  END IF;\n"
         "  IF NOT pg_has_role(current_user, " +
         text +
         ", 'MEMBER') THEN\n"
         "    GRANT " +
         name +
         " TO CURRENT_USER;\n  END IF;\n"
         "  IF NOT pg_has_role(" +
         text +
         ", 'pg_read_all_stats', 'USAGE') THEN\n"
         "    GRANT pg_read_all_stats TO " +
         name +
         ";\n  END IF;\nEND\n$postern$;\n"
         "CREATE SCHEMA IF NOT EXISTS postern AUTHORIZATION " +
         name +
         ";\n"
         "ALTER SCHEMA postern OWNER TO " +
         name +
         ";\n"
         "REVOKE ALL ON SCHEMA postern FROM PUBLIC;\n"
         "GRANT USAGE ON SCHEMA postern TO PUBLIC;\n";
}

std::string key_section(const std::string& owner) {
  const std::string name = quote_ident(owner);
  return "\n-- Keys of the context MAC, inserted apart from this text.\n"
         "CREATE TABLE IF NOT EXISTS postern.context_key (\n"
         "  kid text COLLATE \"C\" PRIMARY KEY CHECK (kid ~ '^[0-9a-f]{8,32}$'),\n"
         "  inner_block bytea NOT NULL CHECK (octet_length(inner_block) = 64),\n"
         "  outer_block bytea NOT NULL CHECK (octet_length(outer_block) = 64),\n"
         "  installed timestamptz NOT NULL DEFAULT now()\n);\n"
         "ALTER TABLE postern.context_key OWNER TO " +
         name +
         ";\n"
         "REVOKE ALL ON postern.context_key FROM PUBLIC;\n"
         "ALTER TABLE postern.context_key ENABLE ROW LEVEL SECURITY;\n"
         "ALTER TABLE postern.context_key FORCE ROW LEVEL SECURITY;\n"
         "DROP POLICY IF EXISTS postern_owner_only ON postern.context_key;\n"
         "CREATE POLICY postern_owner_only ON postern.context_key FOR ALL TO " +
         name + " USING (true) WITH CHECK (true);\n";
}

std::string state_section(const std::string& owner) {
  const std::string name = quote_ident(owner);
  return "\n-- What was before, for rollback.\n"
         "CREATE TABLE IF NOT EXISTS postern.wall_state (\n"
         "  relation regclass PRIMARY KEY,\n"
         "  had_row_security boolean NOT NULL,\n"
         "  had_force boolean NOT NULL,\n"
         "  had_invoker text NOT NULL,  -- a view's option, '' = unset\n"
         "  allow text NOT NULL,\n"
         "  known text[] NOT NULL DEFAULT '{}'  -- policies of others, as reviewed\n);\n"
         "ALTER TABLE postern.wall_state\n"
         "  ADD COLUMN IF NOT EXISTS rule_source text[] NOT NULL DEFAULT '{}',  -- of the\n"
         "  ADD COLUMN IF NOT EXISTS rule_printed text[] NOT NULL DEFAULT '{}';  -- configuration\n"
         "ALTER TABLE postern.wall_state ADD COLUMN IF NOT EXISTS owner text NOT NULL DEFAULT '';\n"
         "ALTER TABLE postern.wall_state OWNER TO " +
         name +
         ";\n"
         "REVOKE ALL ON postern.wall_state FROM PUBLIC;\n"
         "GRANT SELECT ON postern.wall_state TO PUBLIC;\n";
}

std::string domain_section(const std::string& owner) {
  return "\n-- A well-formed encrypted value, and nothing else.\n"
         "DO $postern$\nBEGIN\n"
         "  IF to_regtype('postern.pe1') IS NULL THEN\n"
         "    CREATE DOMAIN postern.pe1 AS pg_catalog.bytea;\n  END IF;\n"
         "  IF NOT EXISTS (SELECT FROM pg_constraint WHERE contypid = 'postern.pe1'::regtype\n"
         "      AND conname = 'pe1_container') THEN\n"
         "    ALTER DOMAIN postern.pe1 ADD CONSTRAINT pe1_container CHECK (\n"
         "      " +
         std::string(kContainerCheck) +
         ");\n  END IF;\nEND\n$postern$;\n"
         "ALTER DOMAIN postern.pe1 OWNER TO " +
         quote_ident(owner) + ";\n";
}

std::string record_sql(const std::string& relation, const char* allow) {
  return "INSERT INTO postern.wall_state (relation, had_row_security, had_force, had_invoker, "
         "allow, owner)\n  SELECT c.oid, c.relrowsecurity, c.relforcerowsecurity, COALESCE((SELECT "
         "o.option_value FROM\n    pg_options_to_table(c.reloptions) AS o WHERE o.option_name = "
         "'security_invoker'), ''), " +
         quote_literal(allow) +
         ", pg_get_userbyid(c.relowner)\n  FROM pg_class AS c WHERE c.oid = " +
         quote_literal(relation) +
         "::regclass\n  ON CONFLICT (relation) DO UPDATE SET allow = EXCLUDED.allow, "
         "owner = EXCLUDED.owner;\n";
}

std::string table_section(const WalledTable& table) {
  std::string sql = "\n-- " + table.relation->qualified() + "\n";
  sql += record_sql(table.name, to_word(table.allow));
  sql += "ALTER TABLE " + table.name + " ENABLE ROW LEVEL SECURITY;\n";
  sql += "ALTER TABLE " + table.name + " FORCE ROW LEVEL SECURITY;\n";
  sql += tenant_policy_sql(table);
  sql += allow_policy_sql(table, table.allow);
  sql += rules_sql(table.name, table.rules);
  for (const sql::RowPolicy& policy : table.relation->policies) {
    if (!is_own_policy(policy.name)) {
      sql += "-- keeps its own policy " + quote_ident(policy.name) + "\n";
    }
  }
  return sql + remember_policies_sql(table.name);
}

std::string view_section(const sql::Relation& view) {
  const std::string name = quote_relation(view);
  return "\n-- " + view.qualified() +
         ": rows are those of the reader, who needs SELECT on the tables below it\n" +
         record_sql(name, "none") + "ALTER VIEW " + name + " SET (security_invoker = true);\n";
}

/// Comments and bodies of the plan must not end early.
bool ends_text(const std::string& name) {
  return name.find_first_of("\r\n") != std::string::npos ||
         name.find("$postern$") != std::string::npos;
}

Status check_rules(const Ruleset& rules) {
  for (const TableRule& table : rules.options.tables) {
    for (const BusinessRule& rule : table.policies) {
      if (rule_source(rule).find("$postern$") == std::string::npos) continue;
      return make_error(pst::kPolicyBadColumn,
                        table.table + ": policy " + rule.name + " contains $postern$");
    }
  }
  return ok();
}

Status check_names(const std::vector<WalledTable>& tables) {
  for (const WalledTable& table : tables) {
    bool bad = ends_text(table.name);
    for (const sql::RowPolicy& policy : table.relation->policies) bad |= ends_text(policy.name);
    if (bad) {
      return make_error(pst::kPolicyBadColumn,
                        table.name + ": a name contains a line break or $postern$");
    }
  }
  return ok();
}

}  // namespace

Result<std::string> wall_plan(const Ruleset& rules, const WallOptions& options) {
  if (rules.options.schemas) return schema_wall_plan(rules, options);
  POSTERN_ASSIGN(const std::vector<WalledTable> tables, walled_tables(rules));
  POSTERN_TRY(check_names(tables));
  POSTERN_TRY(check_rules(rules));
  std::string sql(kOpen);
  sql += drop_event_triggers_sql();
  sql += owner_section(options.owner_role);
  sql += key_section(options.owner_role);
  sql += state_section(options.owner_role);
  sql += grants_section(options.owner_role);
  sql += "\n-- What the signed context says.\n";
  for (const WallFunction& function : wall_functions(rules)) {
    sql += function_sql(function, options.owner_role);
  }
  sql += kGuardInstallSql;
  sql += domain_section(options.owner_role);
  for (const WalledTable& table : tables) sql += table_section(table);
  for (const sql::Relation* view : walled_views(rules)) {
    if (ends_text(view->qualified())) {
      return make_error(pst::kPolicyBadColumn,
                        view->qualified() + ": a name contains a line break or $postern$");
    }
    sql += view_section(*view);
  }
  if (options.reduce_grants) sql += reduce_grants_sql(options);
  sql += create_event_triggers_sql();
  sql += "\n";
  sql += kClose;
  return sql;
}

std::string wall_rollback(const WallOptions& options) {
  const std::string owner = quote_ident(options.owner_role);
  return std::string(kOpen) + drop_event_triggers_sql() + std::string(kRestoreSql) +
         std::string(kRestoreGrantsSql) + std::string(kRestoreSchemasSql) +
         "\nDROP FUNCTION IF EXISTS postern.has_role(text), postern.subject(), postern.tenant(),\n"
         "  postern.context(), postern.guard_keys(), postern.wall_new(), postern.wall_record(),\n"
         "  postern.wall_kept(), postern.wall_column(oid);\n"
         "DROP TABLE IF EXISTS postern.wall_state, postern.context_key, postern.wall_grant;\n"
         "-- Encrypted columns still need the domain, other databases the role.\n"
         "DO $postern$\nBEGIN\n"
         "  BEGIN\n    DROP DOMAIN IF EXISTS postern.pe1;\n"
         "    DROP SCHEMA IF EXISTS postern;\n"
         "  EXCEPTION WHEN dependent_objects_still_exist THEN\n"
         "    RAISE WARNING 'schema postern stays: something still uses it';\n  END;\n"
         "  BEGIN\n    DROP ROLE IF EXISTS " +
         owner +
         ";\n"
         "  EXCEPTION WHEN dependent_objects_still_exist OR insufficient_privilege THEN\n"
         "    RAISE WARNING 'role stays: something still depends on it';\n  END;\n"
         "END\n$postern$;\n" +
         std::string(kClose);
}

}  // namespace postern::policy
