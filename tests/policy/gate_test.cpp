#include "policy/gate.hpp"

#include <doctest/doctest.h>

#include "tests/policy/policy_fixture.hpp"

using namespace postern;
using namespace postern::test;
using policy::Principal;
using policy::Profile;

namespace {

struct Case {
  const char* text;
  const char* refusal;  ///< "" = passes
};

void check(const Principal& principal, std::initializer_list<Case> cases) {
  for (const Case& c : cases) {
    CAPTURE(c.text);
    const auto decision = decide_sql(c.text, *without_columns(), principal);
    CHECK(refusal_of(decision) == c.refusal);
  }
}

}  // namespace

TEST_CASE("kinds of statements an application login may send") {
  check(kTenantApp,
        {{"SELECT * FROM orders", ""},
         {"INSERT INTO orders (id, tenant_id) VALUES (1, 2)", ""},
         {"UPDATE orders SET total = 1 WHERE id = 2", ""},
         {"DELETE FROM orders WHERE id = 2", ""},
         {"MERGE INTO orders o USING plans p ON o.id = p.id WHEN MATCHED THEN DELETE", ""},
         {"BEGIN", ""},
         {"SAVEPOINT a; ROLLBACK TO a; RELEASE a; COMMIT", ""},
         {"PREPARE p AS SELECT * FROM orders WHERE id = $1; EXECUTE p(1); DEALLOCATE p", ""},
         {"DECLARE c CURSOR FOR SELECT * FROM orders; FETCH ALL FROM c; CLOSE c", ""},
         {"DISCARD ALL", ""},
         {"", ""},
         {"CREATE TABLE x (a int)", "PST-1501 gate.statement"},
         {"SELECT * INTO x FROM orders", "PST-1501 gate.statement"},
         {"ALTER TABLE orders DISABLE ROW LEVEL SECURITY", "PST-1501 gate.statement"},
         {"DROP TABLE orders", "PST-1501 gate.statement"},
         {"GRANT ALL ON orders TO PUBLIC", "PST-1501 gate.statement"},
         {"DO $$ BEGIN END $$", "PST-1501 gate.statement"},
         {"VACUUM orders", "PST-1501 gate.statement"},
         {"ALTER ROLE app SET role = 'x'", "PST-1501 gate.statement"},
         {"ALTER SYSTEM SET fsync = off", "PST-1501 gate.statement"},
         {"SELECT 1; DROP TABLE orders; SELECT 2", "PST-1501 gate.statement"}});
}

TEST_CASE("analysts read, backups read and lock, migrators do all but reach the context") {
  const Principal analyst{Profile::kAnalyst, true, true};
  check(analyst,
        {{"SELECT * FROM orders", ""},
         {"WITH d AS (DELETE FROM orders RETURNING *) SELECT * FROM d", "PST-1501 gate.statement"},
         {"PREPARE p AS DELETE FROM orders", "PST-1501 gate.statement"},
         {"INSERT INTO plans VALUES (1, 'a')", "PST-1501 gate.statement"}});
  const Principal backup{Profile::kBackup, false, false};
  check(backup, {{"COPY orders TO STDOUT", ""},
                 {"LOCK TABLE orders IN ACCESS SHARE MODE", ""},
                 {"SET row_security = off", ""},
                 {"DELETE FROM orders", "PST-1501 gate.statement"}});
  const Principal migrator{Profile::kMigrator, false, true};
  check(migrator, {{"CREATE TABLE x (a int)", ""},
                   {"ALTER TABLE orders ADD COLUMN z int", ""},
                   {"SET ROLE owner", ""},
                   {"SELECT pg_advisory_lock(1)", ""},
                   {"TRUNCATE orders", ""},
                   {"SET postern.ctx = 'x'", "PST-1503 gate.setting"},
                   {"SET standard_conforming_strings = off", "PST-1508 gate.setting"}});
  const Principal admin{Profile::kAdmin, false, true};
  check(admin, {{"DO $$ BEGIN END $$", ""},
                {"SET ROLE owner", ""},
                {"SELECT pg_read_file('x')", ""},
                {"this is not SQL", ""}});
}

TEST_CASE("functions that reach around policies or sessions") {
  check(kTenantApp,
        {{"SELECT lower('A')", ""},
         {"SELECT now(), random()", ""},
         {"SELECT nextval('s')", ""},
         {"SELECT current_setting('timezone')", ""},
         {"SELECT pg_read_file('/etc/passwd')", "PST-1502 gate.function"},
         {"SELECT lo_get(424242)", "PST-1502 gate.function"},
         {"SELECT query_to_xml('select 1', true, false, '')", "PST-1502 gate.function"},
         {"SELECT 1 FROM plans WHERE pg_terminate_backend(1) IS NULL", "PST-1502 gate.function"},
         {"SELECT * FROM ext.dblink('a', 'b') AS t(x int)", "PST-1502 gate.function"},
         {"SELECT pg_advisory_lock(1)", "PST-1507 gate.function"},
         {"SELECT pg_notify('a', 'b')", "PST-1507 gate.function"},
         {"SELECT setval('s', 1)", "PST-1507 gate.function"}});
  check(kTenantless, {{"SELECT pg_advisory_lock(1)", ""},
                      {"SELECT pg_read_file('x')", "PST-1502 gate.function"}});
  auto changed = options();
  changed.columns.clear();
  changed.permits.functions = {"pg_catalog.pg_advisory_*"};
  const auto ruleset = policy::compile_ruleset(changed, catalog());
  REQUIRE(ruleset);
  CHECK(refusal_of(decide_sql("SELECT pg_advisory_lock(1)", **ruleset)) == "");
}

TEST_CASE("risks by name: families, schemas and neighbours that are harmless") {
  const auto risk = [](const char* schema, const char* name, char volatility = 'v') {
    sql::Routine routine;
    routine.volatility = volatility;
    routine.schema = schema;
    routine.name = name;
    routine.native = true;
    return policy::function_risk(routine);
  };
  using policy::FunctionRisk;
  for (const char* name : {"pg_read_binary_file",
                           "pg_ls_dir",
                           "lo_import",
                           "loread",
                           "table_to_xml",
                           "schema_to_xml",
                           "database_to_xml_and_xmlschema",
                           "cursor_to_xml",
                           "ts_stat",
                           "ts_rewrite",
                           "pg_cancel_backend",
                           "pg_stat_get_activity",
                           "pg_logical_slot_peek_changes",
                           "pg_export_snapshot",
                           "txid_current",
                           "pg_current_wal_lsn",
                           "pg_relation_size",
                           "pg_blocking_pids",
                           "pg_current_logfile",
                           "pg_create_logical_replication_slot"}) {
    CAPTURE(name);
    CHECK(risk("pg_catalog", name) == FunctionRisk::kDenied);
    CHECK(risk("public", "my_function") == FunctionRisk::kNone);
  }
  for (const char* name : {"dblink_exec", "crosstab", "connectby", "xpath_table", "get_raw_page",
                           "pgrowlocks", "pgstattuple", "pg_dirtyread"}) {
    CHECK(risk("anywhere", name) == FunctionRisk::kDenied);
  }
  CHECK(risk("cron", "schedule") == FunctionRisk::kDenied);
  CHECK(risk("pg_catalog", "pg_try_advisory_xact_lock") == FunctionRisk::kShared);
  for (const char* name : {"pg_get_viewdef", "pg_typeof", "pg_sleep", "to_tsvector",
                           "pg_table_is_visible", "pg_backend_pid"}) {
    CHECK(risk("pg_catalog", name) == FunctionRisk::kNone);
  }
  for (const char* name : {"log", "lower", "xmlagg", "of_a_newer_server"}) {
    CHECK(risk("pg_catalog", name, 'i') == FunctionRisk::kNone);
  }
}

TEST_CASE("what newer servers have besides is refused until it was looked at") {
  const auto risk = [](const char* name, char volatility, Oid oid) {
    sql::Routine routine;
    routine.oid = oid;
    routine.schema = "pg_catalog";
    routine.name = name;
    routine.volatility = volatility;
    return policy::function_risk(routine);
  };
  using policy::FunctionRisk;
  // PostgreSQL 16 to 18, and one that nobody has heard of.
  for (const char* name :
       {"pg_log_standby_snapshot", "pg_stat_get_backend_subxact", "pg_split_walfile_name",
        "pg_sync_replication_slots", "pg_get_wal_summarizer_state", "pg_available_wal_summaries",
        "pg_wal_summary_contents", "pg_set_relation_stats", "pg_restore_relation_stats",
        "pg_clear_attribute_stats", "pg_restore_attribute_stats", "pg_get_aios",
        "pg_get_sequence_data", "pg_get_loaded_modules", "pg_numa_available",
        "pg_get_shmem_allocations_numa", "pg_stat_get_backend_io", "pg_stat_reset_backend_stats",
        "pg_of_the_year_2040"}) {
    CAPTURE(name);
    for (const char volatility : {'v', 's'}) {
      const FunctionRisk found = risk(name, volatility, 9000);
      CHECK((found == FunctionRisk::kDenied || found == FunctionRisk::kUnknown));
    }
  }
  CHECK(risk("pg_of_the_year_2040", 's', 9000) == FunctionRisk::kUnknown);
  // An extension's, installed into pg_catalog by the administrator.
  CHECK(risk("pg_of_the_year_2040", 's', 16500) == FunctionRisk::kNone);
  check(kTenantApp, {{"SELECT pg_new_reader()", "PST-1502 gate.function"},
                     {"SELECT pg_new_sum(1)", ""},
                     {"SELECT * FROM pg_new_view", "PST-1505 gate.relation"},
                     {"SET createrole_self_grant = 'set'", "PST-1503 gate.setting"},
                     {"SET restrict_nonsystem_relation_kind = ''", "PST-1503 gate.setting"},
                     {"SET event_triggers = off", "PST-1503 gate.setting"},
                     {"SET allow_alter_system = off", "PST-1503 gate.setting"},
                     {"SET scram_iterations = 1", "PST-1503 gate.setting"},
                     {"SET extension_control_path = '/tmp'", "PST-1503 gate.setting"},
                     {"SET transaction_timeout = '5s'", ""}});
  check({Profile::kMigrator, false, true}, {{"SET event_triggers = off", "PST-1503 gate.setting"}});
  check({Profile::kBackup, false, false}, {{"SELECT pg_new_reader()", ""}});
  auto changed = options();
  changed.columns.clear();
  changed.permits.functions = {"pg_catalog.pg_new_reader"};
  const auto ruleset = policy::compile_ruleset(changed, catalog());
  REQUIRE(ruleset);
  CHECK(refusal_of(decide_sql("SELECT pg_new_reader()", **ruleset)) == "");
}

TEST_CASE("age of a transaction counts everybody's; of a time it does not") {
  check(kTenantApp, {{"SELECT age('3'::xid)", "PST-1502 gate.function"},
                     {"SELECT age(xmin) FROM orders", "PST-1502 gate.function"},
                     {"SELECT mxid_age('3'::xid)", "PST-1502 gate.function"},
                     {"SELECT age($1::timestamptz)", ""}});
}

TEST_CASE("settings") {
  check(kTenantApp,
        {{"SET application_name = 'x'", ""},
         {"SET LOCAL statement_timeout = '5s'", ""},
         {"SET TIME ZONE 'UTC'", ""},
         {"SET search_path = public, pg_catalog", ""},
         {"SET NAMES 'UTF8'", ""},
         {"SET client_encoding TO 'utf-8'", ""},
         {"SET standard_conforming_strings = on", ""},
         {"SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", ""},
         {"SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", ""},
         {"SET CONSTRAINTS ALL DEFERRED", ""},
         {"RESET ALL", ""},
         {"SHOW search_path", ""},
         {"SET app.user_id = '7'", ""},
         {"SET postern.tenant = '7'", "PST-1503 gate.setting"},
         {"SET postern.route = 'primary'", "PST-1503 gate.setting"},
         {"SELECT set_config('timezone', 'UTC', false)", ""},
         {"SET postern.ctx = ''", "PST-1503 gate.setting"},
         {"SET \"Postern.CTX\" = ''", "PST-1503 gate.setting"},
         {"RESET postern.ctx", "PST-1503 gate.setting"},
         {"SHOW postern.ctx", "PST-1503 gate.setting"},
         {"SET ROLE other", "PST-1503 gate.setting"},
         {"RESET ROLE", "PST-1503 gate.setting"},
         {"SET SESSION AUTHORIZATION other", "PST-1503 gate.setting"},
         {"SET row_security = off", "PST-1503 gate.setting"},
         {"SET session_replication_role = replica", "PST-1503 gate.setting"},
         {"SET debug_print_plan = on", "PST-1503 gate.setting"},
         {"SET auto_explain.log_analyze = on", "PST-1503 gate.setting"},
         {"SET local_preload_libraries = 'x'", "PST-1503 gate.setting"},
         {"SET transform_null_equals = on", "PST-1503 gate.setting"},
         {"SET client_min_messages = debug5", "PST-1508 gate.setting"},
         {"SET standard_conforming_strings = off", "PST-1508 gate.setting"},
         {"SET client_encoding = 'SJIS'", "PST-1508 gate.setting"},
         {"SELECT set_config('postern.ctx', 'x', false)", "PST-1503 gate.setting"},
         {"SELECT current_setting('postern.ctx')", "PST-1503 gate.setting"},
         {"SELECT pg_catalog.current_setting('Postern.CTX', true) FROM plans",
          "PST-1503 gate.setting"},
         {"SELECT current_setting($$postern.ctx$$)", "PST-1503 gate.setting"},
         {"SELECT current_setting(E'postern.ctx')", "PST-1503 gate.setting"},
         {"SELECT current_setting('app.user_id', true), current_setting('timezone')", ""},
         {"SELECT 'postern.ctx'", ""},
         {"SELECT set_config('role', 'other', false)", "PST-1503 gate.setting"},
         {"SELECT set_config('ro' || 'le', 'other', false)", "PST-1503 gate.setting"},
         {"SELECT set_config(name, 'other', false) FROM plans", "PST-1503 gate.setting"},
         {"SELECT set_config('timezone', 'UTC', true), set_config('role', 'x', true)",
          "PST-1503 gate.setting"},
         {"WITH x AS MATERIALIZED (SELECT set_config('postern.ctx', '2', true)) SELECT * FROM x, "
          "orders",
          "PST-1503 gate.setting"},
         {"UPDATE pg_settings SET setting = 'off' WHERE name = 'standard_conforming_strings'",
          "PST-1503 gate.setting"}});
  auto changed = options();
  changed.permits.settings = {"debug_print_plan"};
  const auto ruleset = policy::compile_ruleset(changed, catalog());
  REQUIRE(ruleset);
  CHECK(refusal_of(decide_sql("SET debug_print_plan = on", **ruleset)) == "");
}

TEST_CASE("what row security does not confine") {
  check(kTenantApp,
        {{"SELECT * FROM pg_class", ""},
         {"SELECT query FROM pg_stat_activity", "PST-1505 gate.relation"},
         {"SELECT * FROM mv_orders", "PST-1506 wall.relation"},
         {"SELECT * FROM remote", "PST-1506 wall.relation"},
         {"TRUNCATE orders", "PST-1506 wall.truncate"},
         {"TRUNCATE plans", ""},
         {"LOCK TABLE orders", "PST-1506 wall.lock"},
         {"LOCK TABLE v_orders", "PST-1506 wall.lock"},
         {"LOCK TABLE plans", ""},
         {"COPY orders TO STDOUT", ""},
         {"COPY plans FROM STDIN", ""},
         {"COPY plans TO PROGRAM 'curl x'", "PST-1501 gate.copy"},
         {"COPY plans FROM '/etc/passwd'", "PST-1501 gate.copy"},
         {"EXPLAIN ANALYZE SELECT * FROM orders WHERE id = 501", "PST-1506 wall.explain"},
         {"EXPLAIN SELECT * FROM plans", ""},
         {"SELECT * FROM events_1", ""},
         {"LISTEN ch", "PST-1507 gate.shared"},
         {"NOTIFY ch", "PST-1507 gate.shared"},
         {"UNLISTEN *", ""},
         {"PREPARE TRANSACTION 'x'", "PST-1507 gate.shared"},
         {"COMMIT PREPARED 'x'", "PST-1507 gate.shared"}});
  check(kTenantless, {{"LISTEN ch", ""}, {"SELECT * FROM mv_orders", "PST-1506 wall.relation"}});
}

TEST_CASE("opaque statements") {
  const char* text = "SELECT é, /* ü */ FROM";
  const auto decision = decide_sql(text, *without_columns());
  CHECK(refusal_of(decision) == "PST-1504 gate.opaque");
  CHECK(decision.refused());
  CHECK_FALSE(decision.refusal->error.what.empty());
  CHECK(pst_info(decision.refusal->error.code).sqlstate == "0A000");
  CHECK_FALSE(decision.refusal->error.effective_hint().empty());
  const Principal migrator{Profile::kMigrator, false, true};
  CHECK(refusal_of(decide_sql(text, *without_columns(), migrator)) == "PST-1504 gate.opaque");
  const Principal admin{Profile::kAdmin, false, true};
  CHECK(refusal_of(decide_sql(text, *rules(), admin)) == "");
  const auto forwarded = decide_sql(text, *unprotected());
  CHECK_FALSE(forwarded.refusal);
  REQUIRE(forwarded.statements.size() == 1);
  CHECK(forwarded.statements[0].route == policy::RouteClass::kPrimary);
  CHECK_FALSE(forwarded.statements[0].cache.cacheable);
  CHECK(forwarded.statements[0].unknown_write_set);
}

TEST_CASE("an unprotected database has no gate, except for profiles that only read") {
  for (const char* text : {"DROP TABLE plans", "SET ROLE x", "SELECT pg_read_file('x')",
                           "DO $$ BEGIN END $$", "COPY plans TO PROGRAM 'x'", "LISTEN a"}) {
    CAPTURE(text);
    CHECK(refusal_of(decide_sql(text, *unprotected())) == "");
    CHECK(refusal_of(decide_sql(text, *unprotected(), {Profile::kTransparent, false, true})) == "");
  }
  const Principal analyst{Profile::kAnalyst, false, true};
  CHECK(refusal_of(decide_sql("DROP TABLE plans", *unprotected(), analyst)) ==
        "PST-1501 gate.statement");
  // In a protected database "transparent" is an application.
  CHECK(refusal_of(decide_sql("DROP TABLE plans", *rules(), {Profile::kTransparent, true, true})) ==
        "PST-1501 gate.statement");
}

TEST_CASE("observe mode reports breaches of the gate but never lets plaintext through") {
  auto changed = options();
  changed.mode = policy::Mode::kObserve;
  const auto observe = *policy::compile_ruleset(changed, catalog());
  const auto gate = decide_sql("SET ROLE x", *observe);
  CHECK(refusal_of(gate) == "PST-1503 gate.setting");
  CHECK(gate.would_refuse);
  CHECK_FALSE(gate.refused());
  for (const char* text : {"SELECT * FROM users WHERE ssn LIKE '1%'", "this is not SQL",
                           "SET ROLE x; SELECT lower(ssn) FROM users"}) {
    CAPTURE(text);
    const auto strict = decide_sql(text, *observe);
    CHECK(strict.refused());
    CHECK(strict.refusal->rule != "gate.setting");
  }
}

TEST_CASE("a refusal points at the character, in characters") {
  const char* text = "SELECT 'äöü', lower(ssn) FROM users";
  const auto decision = decide_sql(text);
  REQUIRE(decision.refusal);
  CHECK(decision.refusal->error.position == 21);
  CHECK(decide_sql("SELECT 1; SET ROLE x", *rules()).refusal->error.position == 11);
}
