// What honest applications send and the gate lets through in another form, each beside what it
// still refuses.
#include <doctest/doctest.h>

#include "policy/gate.hpp"
#include "tests/policy/policy_fixture.hpp"

using namespace postern;
using namespace postern::test;
using policy::Principal;
using policy::Profile;

namespace {

constexpr Principal kMigrator{Profile::kMigrator, false, true};

std::string verdict(const char* text, const Principal& principal = kTenantApp) {
  return refusal_of(decide_sql(text, *without_columns(), principal));
}

std::shared_ptr<const policy::Ruleset> permitting(policy::Permits permits, Profile profile) {
  auto changed = options();
  changed.columns.clear();
  changed.profile_permits.at(static_cast<std::size_t>(profile)) = std::move(permits);
  auto ruleset = policy::compile_ruleset(changed, catalog());
  REQUIRE(ruleset);
  return *ruleset;
}

bool shapes_plan(const char* text, const Principal& principal = kTenantApp) {
  const auto decision = decide_sql(text, *without_columns(), principal);
  const auto& outputs = decision.statements.at(0).outputs;
  return outputs.size() == 1 && outputs[0].action == policy::OutputAction::kPlan;
}

bool inserts(const char* text, const Principal& principal = kTenantApp) {
  return decide_sql(text, *without_columns(), principal).statements.at(0).copy_as_insert;
}

}  // namespace

TEST_CASE("set_config with a bound value: names of which every value is harmless") {
  CHECK(verdict("SELECT set_config('TimeZone', $1, false)") == "");
  CHECK(verdict("SELECT set_config('app.user_id', $1, true)") == "");
  CHECK(verdict("SELECT set_config('statement_timeout', 5 || 's', true)") == "");
  CHECK(verdict("SELECT set_config('search_path', $1, false)") == "");
  CHECK(verdict("SELECT set_config('role', $1, false)") == "PST-1503 gate.setting");
  CHECK(verdict("SELECT set_config('postern.ctx', $1, false)") == "PST-1503 gate.setting");
  CHECK(verdict("SELECT set_config('client_encoding', $1, false)") == "PST-1508 gate.setting");
  CHECK(verdict("SELECT set_config('standard_conforming_strings', $1, false)") ==
        "PST-1508 gate.setting");
  CHECK(verdict("SELECT set_config('client_min_messages', $1, true)") == "PST-1508 gate.setting");
  CHECK(verdict("SELECT set_config($1, 'UTC', false)") == "PST-1503 gate.setting");
  CHECK(verdict("SELECT set_config('timezone', 'UTC', $1)") == "PST-1503 gate.setting");
}

TEST_CASE("set_config: a cast may make another name of a constant, or another value") {
  for (const char* text : {
           "SELECT set_config('role.x'::varchar(4), 'own', false)",
           "SELECT set_config('row_security.x'::varchar(12), 'off', false)",
           "SELECT set_config(CAST('role.x' AS pg_catalog.varchar(4)), 'own', false)",
           "SELECT set_config('search_path.x'::bpchar(11), 'own', false)",
           "SELECT set_config('role.x'::char(4), 'own', false)",
           "SELECT set_config('a.b'::name, 'own', false)",
           "SELECT set_config('a.b'::\"char\", 'own', false)",
           "SELECT set_config('{a.b}'::text[], 'own', false)",
           "SELECT set_config(('a.b'::text)::text, 'own', false)",
           "SELECT set_config('standard_conforming_strings.x'::varchar(27), 'off', false)",
           "SELECT set_config('timezone', 'UTC', 'x'::bool)",
           "SELECT set_config('timezone', 'UTC', '1'::int::bool)",
       }) {
    CAPTURE(text);
    CHECK(verdict(text) == "PST-1503 gate.setting");
  }
  CHECK(verdict("SELECT set_config('client_min_messages', 'error;x'::varchar(5), false)") ==
        "PST-1508 gate.setting");
  CHECK(verdict("SELECT set_config('client_encoding', 'utf8x'::varchar(4), false)") ==
        "PST-1508 gate.setting");
}

TEST_CASE("set_config: casts that change nothing") {
  for (const char* text : {
           "SELECT set_config('timezone'::text, 'UTC'::text, false)",
           "SELECT set_config('app.id'::varchar, '7'::varchar, 'off'::bool)",
           "SELECT set_config('app.id'::pg_catalog.text, '7', 'true')",
           "SELECT set_config('client_encoding'::text, 'UTF8'::text, true)",
           "SELECT set_config('app.id', 'abc'::varchar(2), TRUE)",
       }) {
    CAPTURE(text);
    CHECK(verdict(text) == "");
  }
}

TEST_CASE("a setting does not hide behind the name of what holds its set_config()") {
  for (const char* text : {
           "PREPARE application_name AS SELECT set_config('role', 'x', false)",
           "DECLARE work_mem CURSOR FOR SELECT set_config('row_security', 'off', false)",
           "PREPARE \"a.b\" AS SELECT set_config('postern.ctx', '', false)",
       }) {
    CAPTURE(text);
    CHECK(verdict(text) == "PST-1503 gate.setting");
  }
  CHECK(verdict("PREPARE p AS SELECT 1") == "");
}

TEST_CASE("EXPLAIN needs what its statement needs") {
  for (const char* text : {"EXPLAIN ANALYZE CREATE TABLE x AS SELECT * FROM plans",
                           "EXPLAIN ANALYZE SELECT * INTO x FROM plans"}) {
    CAPTURE(text);
    CHECK(verdict(text) == "PST-1501 gate.statement");
  }
  CHECK(verdict("EXPLAIN ANALYZE SELECT * FROM plans") == "");
}

TEST_CASE("what a migrator's own transaction made") {
  CHECK(verdict("UPDATE orders SET made_just_now = 1", kMigrator) == "");
  CHECK(verdict("CREATE VIEW v AS SELECT * FROM made_just_now", kMigrator) == "");
  CHECK(verdict("UPDATE orders SET made_just_now = 1") == "PST-1504 gate.opaque");
  CHECK(refusal_of(decide_sql("INSERT INTO made_just_now VALUES ('ssn')", *rules(), kMigrator)) ==
        "PST-1504 gate.opaque");
}

TEST_CASE("what a migrator's own transaction made, beside encrypted columns") {
  const auto judged = [](std::string_view text) {
    return refusal_of(decide_sql(text, *rules(), kMigrator));
  };
  for (const char* text : {
           "UPDATE orders SET made_just_now = 1",
           "CREATE VIEW v AS SELECT * FROM made_just_now",
           "SELECT * FROM made_just_now",
           "INSERT INTO made_just_now (id, remark) VALUES (1, 'users')",
           "INSERT INTO made_just_now AS m (id) SELECT id FROM orders",
           "INSERT INTO public.made_just_now (id) VALUES ($1) RETURNING id",
           "WITH m AS (INSERT INTO made_just_now (id) VALUES (1) RETURNING id) SELECT * FROM m",
           "COPY made_just_now (id) FROM STDIN",
           "COPY (SELECT * FROM made_just_now) TO STDOUT",
           "MERGE INTO made_just_now m USING orders o ON m.id = o.id WHEN NOT MATCHED THEN"
           " INSERT (id) VALUES (o.id)",
           "LOCK made_just_now",
           "DELETE FROM \"made_just_now\" WHERE \"USERS\" = 1",
       }) {
    CAPTURE(std::string(text));
    CHECK(judged(text) == "");
  }
  // A name or a place of which an encrypted column may be meant.
  for (const char* text : {
           "UPDATE users SET made_just_now = 1",
           "UPDATE made_just_now SET SSN = '1'",
           "UPDATE made_just_now SET \"ssn\" = '1'",
           "UPDATE made_just_now SET U&\"\\0073sn\" = '1'",
           "SELECT made_just_now.email FROM made_just_now",
           "SELECT made_just_now FROM v_users",
           "INSERT INTO made_just_now SELECT 'x'",
           "INSERT INTO made_just_now (SELECT 'x')",
           "INSERT INTO made_just_now (VALUES ('x'))",
           "INSERT INTO made_just_now DEFAULT VALUES",
           "INSERT INTO made_just_now AS m VALUES ('x')",
           "WITH m AS (INSERT INTO made_just_now VALUES ('x') RETURNING 1) SELECT * FROM m",
           "COPY made_just_now FROM STDIN",
           "COPY public.made_just_now FROM STDIN",
           "MERGE INTO made_just_now m USING orders o ON m.id = o.id WHEN NOT MATCHED THEN"
           " INSERT VALUES (o.id)",
       }) {
    CAPTURE(text);
    CHECK(judged(text) == "PST-1504 gate.opaque");
  }
  // Nobody but a migrator.
  CHECK(refusal_of(decide_sql("SELECT * FROM made_just_now", *rules())) == "PST-1504 gate.opaque");
}

TEST_CASE("blocks of migrators") {
  CHECK(verdict("DO $$ BEGIN PERFORM 1; END $$", kMigrator) == "");
  CHECK(refusal_of(decide_sql("DO $$ BEGIN END $$", *rules(), kMigrator)) == "");
  CHECK(verdict("DO $$ BEGIN PERFORM 1; END $$") == "PST-1501 gate.statement");
  CHECK(verdict("not SQL", kMigrator) == "PST-1504 gate.opaque");
  const auto decision = decide_sql("DO $$ BEGIN END $$", *without_columns(), kMigrator);
  CHECK(decision.statements.at(0).unknown_write_set);
}

TEST_CASE("plans without ANALYZE are shaped; others are refused where tenants' rows count") {
  policy::Permits plans;
  plans.plans = true;
  const auto permitted = permitting(plans, Profile::kApp);
  CHECK(refusal_of(decide_sql("EXPLAIN SELECT * FROM orders", *permitted)) == "");
  CHECK(refusal_of(decide_sql("EXPLAIN ANALYZE SELECT * FROM orders", *permitted)) ==
        "PST-1506 wall.explain");
  CHECK(verdict("EXPLAIN SELECT * FROM orders") == "PST-1506 wall.explain");
  CHECK(shapes_plan("EXPLAIN SELECT * FROM orders"));
  CHECK(shapes_plan("EXPLAIN (VERBOSE, COSTS OFF, FORMAT text) SELECT * FROM orders"));
  CHECK(shapes_plan("EXPLAIN EXECUTE p"));
  CHECK(refusal_of(decide_sql("EXPLAIN (ANALYZE off) SELECT * FROM orders", *permitted)) == "");
  CHECK_FALSE(shapes_plan("SELECT * FROM orders"));
  CHECK_FALSE(shapes_plan("EXPLAIN SELECT * FROM orders", kMigrator));
  for (const char* text :
       {"EXPLAIN ANALYZE SELECT * FROM orders", "EXPLAIN (ANALYZE, COSTS OFF) DELETE FROM orders",
        "EXPLAIN (FORMAT json) SELECT * FROM orders", "EXPLAIN (FORMAT xml) TABLE v_orders",
        "EXPLAIN ANALYZE EXECUTE p", "EXPLAIN ANALYZE SELECT 1"}) {
    CAPTURE(text);
    CHECK(verdict(text) == "PST-1506 wall.explain");
  }
  CHECK(verdict("EXPLAIN ANALYZE SELECT * FROM plans") == "");
}

TEST_CASE("settings beside other statements") {
  CHECK(verdict("SET statement_timeout = 5; SELECT * FROM orders") == "");
  CHECK(verdict("BEGIN; SET TRANSACTION READ ONLY; SELECT * FROM orders; COMMIT") == "");
  CHECK(verdict("SET LOCAL app.x = '1'; SET CONSTRAINTS ALL DEFERRED; DELETE FROM orders") == "");
  CHECK(verdict("SET search_path = x; SELECT 1") == "");
  for (const char* text :
       {"SET search_path = x; SELECT * FROM orders", "DISCARD ALL; SELECT * FROM orders",
        "SELECT * FROM orders; RESET ALL", "SET datestyle = 'SQL'; SELECT * FROM orders"}) {
    CAPTURE(text);
    CHECK(verdict(text) == "PST-2418 gate.mixing");
    // A schema dump: names are not judged, and no column is encrypted.
    CHECK(verdict(text, kMigrator) == "");
  }
  const char* dump = "SELECT set_config('search_path', '', false); CREATE TABLE public.x (a int)";
  CHECK(verdict(dump, kMigrator) == "");
  // Where values are sealed under the settings of before, it is refused in every mode.
  const char* mixed = "SET datestyle = 'SQL'; SELECT * FROM users";
  const auto strict = decide_sql(mixed, *rules());
  CHECK(refusal_of(strict) == "PST-2418 gate.mixing");
  auto observing = options();
  observing.mode = policy::Mode::kObserve;
  const auto sealed = policy::compile_ruleset(observing, catalog());
  REQUIRE(sealed);
  CHECK(decide_sql(mixed, **sealed).refused());
  observing.columns.clear();
  const auto plain = policy::compile_ruleset(observing, catalog());
  REQUIRE(plain);
  CHECK_FALSE(decide_sql(mixed, **plain).refused());
}

TEST_CASE("COPY FROM STDIN into a tenant table becomes INSERT") {
  CHECK(inserts("COPY orders FROM STDIN"));
  CHECK(inserts("COPY orders (tenant_id, id) FROM STDIN WITH (FORMAT csv, HEADER)"));
  CHECK(inserts("COPY orders FROM STDIN WITH CSV HEADER DELIMITER ';' QUOTE ''''"));
  CHECK(inserts("COPY orders FROM STDIN (FORMAT binary)"));
  CHECK(inserts("COPY events FROM STDIN"));
  CHECK(verdict("COPY orders FROM STDIN") == "");
  CHECK_FALSE(inserts("COPY plans FROM STDIN"));
  CHECK(inserts("COPY orders FROM STDIN", kMigrator));
  CHECK(inserts("COPY made_just_now FROM STDIN", kMigrator));
  CHECK(inserts("COPY made_just_now (a) FROM STDIN (FORMAT csv)", kMigrator));
  CHECK_FALSE(inserts("COPY made_just_now FROM STDIN"));
  CHECK_FALSE(inserts("COPY made_just_now FROM STDIN (FORMAT csv, FORCE_NULL (a))", kMigrator));
  CHECK_FALSE(inserts("COPY made_just_now TO STDOUT", kMigrator));
  for (const char* text :
       {"COPY orders FROM STDIN WHERE id > 1", "COPY orders FROM STDIN (FREEZE)",
        "COPY orders FROM STDIN (ENCODING 'latin1')", "COPY orders FROM STDIN (DELIMITER 'ab')",
        "COPY orders FROM STDIN (FORMAT text, QUOTE 'x')", "COPY v_orders FROM STDIN",
        "COPY orders FROM STDIN (DELIMITER 'a')", "BEGIN; COPY orders FROM STDIN"}) {
    CAPTURE(text);
    CHECK(verdict(text) == "PST-1506 wall.copy");
  }
}

TEST_CASE("permits by profile, and what no permit frees") {
  const auto freed = permitting({{"pg_catalog.pg_advisory_*"}, {"debug_*"}, false}, Profile::kApp);
  CHECK(refusal_of(decide_sql("SELECT pg_advisory_lock(1)", *freed)) == "");
  CHECK(refusal_of(decide_sql("SET debug_print_plan = on", *freed)) == "");
  const Principal analyst{Profile::kAnalyst, true, true};
  CHECK(refusal_of(decide_sql("SELECT pg_advisory_lock(1)", *freed, analyst)) ==
        "PST-1507 gate.function");
  const auto tried = permitting(
      {{"pg_catalog.*"}, {"*", "postern.*", "role", "row_security", "client_encoding"}, false},
      Profile::kApp);
  for (const char* text :
       {"SELECT pg_read_file('x')", "SELECT query_to_xml('select 1', true, false, '')",
        "SELECT lo_get(1)", "SELECT pg_terminate_backend(1) "}) {
    CAPTURE(text);
    CHECK(refusal_of(decide_sql(text, *tried)) == "PST-1502 gate.function");
  }
  for (const char* text :
       {"SET ROLE x", "SET row_security = off", "SET postern.ctx = 'x'",
        "SET SESSION AUTHORIZATION x", "SET session_replication_role = replica"}) {
    CAPTURE(text);
    CHECK(refusal_of(decide_sql(text, *tried)) == "PST-1503 gate.setting");
  }
  CHECK(refusal_of(decide_sql("SET client_encoding = 'SJIS'", *tried)) == "PST-1508 gate.setting");
}

TEST_CASE("why an entry of the configuration is refused") {
  using policy::why_never_function;
  using policy::why_never_setting;
  CHECK(why_never_function("pg_catalog.pg_advisory_*") == "");
  CHECK(why_never_function("public.my_function") == "");
  for (const char* glob :
       {"pg_advisory_lock", "pg_catalog.*", "*.x", "pg_catalog.lo_get", "pg_catalog.query_to_xml",
        "pg_catalog.pg_read_file", "x.dblink", "cron.schedule", "postern.tenant"}) {
    CAPTURE(glob);
    CHECK(why_never_function(glob) != "");
  }
  CHECK(why_never_setting("debug_print_plan") == "");
  CHECK(why_never_setting("my.*") == "");
  for (const char* glob : {"role", "ROW_SECURITY", "session_authorization", "postern.ctx",
                           "postern*", "*", "client_encoding", "session_replication_role"}) {
    CAPTURE(glob);
    CHECK(why_never_setting(glob) != "");
  }
}
