// What whoever may act as the owner of tables may not define, and which functions are an
// extension's.
#include <doctest/doctest.h>

#include "policy/gate.hpp"
#include "tests/policy/policy_fixture.hpp"

using namespace postern;
using namespace postern::test;
using policy::FunctionRisk;
using policy::Principal;
using policy::Profile;

namespace {

constexpr Principal kMigrator{Profile::kMigrator, false, true};

std::string judged(const char* text, const Principal& principal = kMigrator) {
  return refusal_of(decide_sql(text, *without_columns(), principal));
}

FunctionRisk risk(const char* schema, const char* name, const char* extension, bool native) {
  sql::Routine routine;
  routine.oid = 20000;
  routine.schema = schema;
  routine.name = name;
  routine.extension = extension;
  routine.native = native;
  return policy::function_risk(routine);
}

}  // namespace

TEST_CASE("migrators do not open the wall of a table") {
  for (const char* text :
       {"ALTER TABLE orders DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE orders NO FORCE ROW LEVEL SECURITY",
        "ALTER TABLE ONLY public.orders ADD COLUMN z int, DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE IF EXISTS events_1 NO FORCE ROW LEVEL SECURITY",
        "ALTER TABLE renamed_meanwhile DISABLE ROW LEVEL SECURITY",
        "DROP POLICY postern_tenant ON orders",
        "DROP POLICY IF EXISTS postern_allow ON orders",
        "DROP POLICY postern_tenant ON public.orders CASCADE",
        "DROP POLICY postern_tenant ON renamed_meanwhile",
        "ALTER POLICY postern_tenant ON orders USING (true)",
        "ALTER POLICY postern_tenant ON orders TO nobody",
        "ALTER POLICY postern_tenant ON orders RENAME TO former",
        "ALTER POLICY own ON orders RENAME TO postern_rule_x",
        "CREATE POLICY postern_allow ON orders USING (true)",
        "ALTER TABLE orders DROP COLUMN tenant_id CASCADE",
        "ALTER TABLE orders ADD COLUMN z int, DROP COLUMN IF EXISTS tenant_id",
        "ALTER TABLE orders INHERIT plans",
        "ALTER TABLE orders INHERIT just_made",
        "ALTER TABLE just_made ATTACH PARTITION orders FOR VALUES IN (1)",
        "ALTER TABLE orders OWNER TO someone",
        "ALTER TABLE orders OWNER TO CURRENT_USER",
        "REASSIGN OWNED BY owner TO someone"}) {
    CAPTURE(text);
    CHECK(judged(text) == "PST-1612 wall.definition");
    CHECK(judged(text, {Profile::kAdmin, false, true}) == "");
    CHECK(judged(text, kTenantApp) == "PST-1501 gate.statement");
  }
}

TEST_CASE("what migrations do passes") {
  for (const char* text : {"ALTER TABLE orders ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
                           "ALTER TABLE orders ADD COLUMN z int",
                           "ALTER TABLE orders DROP COLUMN note",
                           "ALTER TABLE orders RENAME COLUMN note TO remark",
                           "ALTER TABLE orders RENAME TO buys",
                           "ALTER TABLE plans DISABLE ROW LEVEL SECURITY",
                           "ALTER TABLE plans DROP COLUMN name",
                           "ALTER TABLE plans OWNER TO someone",
                           "ALTER TABLE orders OWNER TO owner",
                           "ALTER TABLE just_made OWNER TO owner",
                           "ALTER FUNCTION f() OWNER TO someone",
                           "CREATE POLICY few ON orders USING (total < 5)",
                           "ALTER POLICY few ON orders USING (total < 6)",
                           "DROP POLICY few ON orders",
                           "ALTER POLICY few ON orders RENAME TO fewer",
                           "DROP POLICY postern_tenant ON plans",
                           "ALTER TABLE events ATTACH PARTITION just_made FOR VALUES IN (1)",
                           "ALTER TABLE events ATTACH PARTITION events_1 FOR VALUES IN (1)",
                           "ALTER TABLE new_parent ATTACH PARTITION new_child DEFAULT",
                           "ALTER TABLE events DETACH PARTITION events_1",
                           "ALTER TABLE new_child INHERIT orders",
                           "DROP TABLE orders",
                           "DROP TABLE IF EXISTS nowhere",
                           "DROP INDEX some_index"}) {
    CAPTURE(text);
    CHECK(judged(text) == "");
  }
  const auto open = decide_sql("ALTER TABLE orders DISABLE ROW LEVEL SECURITY", *unprotected(),
                               Principal{Profile::kMigrator, false, true});
  CHECK(refusal_of(open) == "");
}

TEST_CASE("functions are an extension's by membership, not by name") {
  for (const auto& [name, extension] : {std::pair{"dblink_exec", "dblink"},
                                        {"anything", "dblink"},
                                        {"crosstab", "tablefunc"},
                                        {"connectby", "tablefunc"},
                                        {"xpath_table", "xml2"},
                                        {"pg_background_launch", "pg_background"},
                                        {"query_export_to_s3", "aws_s3"},
                                        {"table_import_from_s3", "aws_s3"},
                                        {"pg_relpages", "pgstattuple"},
                                        {"pg_get_wal_records_info", "pg_walinspect"},
                                        {"st_estimatedextent", "postgis"},
                                        {"_postgis_stats", "postgis"},
                                        {"http_get", "http"},
                                        {"heap_force_kill", "pg_surgery"},
                                        {"pg_file_write", "adminpack"},
                                        {"schedule", "pg_cron"}}) {
    CAPTURE(name);
    CHECK(risk("anywhere", name, extension, true) == FunctionRisk::kDenied);
    CHECK(risk("pg_catalog", name, extension, true) == FunctionRisk::kDenied);
  }
  // Honest functions of the same extensions, and an application's own under the same names.
  CHECK(risk("public", "normal_rand", "tablefunc", true) == FunctionRisk::kNone);
  CHECK(risk("public", "xml_valid", "xml2", true) == FunctionRisk::kNone);
  CHECK(risk("public", "st_area", "postgis", true) == FunctionRisk::kNone);
  CHECK(risk("public", "similarity", "pg_trgm", true) == FunctionRisk::kNone);
  for (const char* name : {"http_status_text", "http_get", "heap_page_total", "heap_size",
                           "pg_file_name", "crosstab_sales", "dblink_of_order", "pgstat_mine"}) {
    CAPTURE(name);
    CHECK(risk("public", name, "", false) == FunctionRisk::kNone);
  }
  // Declared by hand from a library.
  CHECK(risk("public", "dblink_connect", "", true) == FunctionRisk::kDenied);
  CHECK(risk("public", "pg_dirtyread", "", true) == FunctionRisk::kDenied);
  CHECK(risk("public", "my_native_sum", "", true) == FunctionRisk::kNone);
  CHECK(judged("SELECT public.http_status_text(404)", kTenantApp) == "");
  CHECK(judged("SELECT * FROM ext.dblink('a', 'b') AS t(x int)", kTenantApp) ==
        "PST-1502 gate.function");
}

TEST_CASE("settings of modules by their exact names, views of passwords in the standard schema") {
  for (const char* text :
       {"SET pg_trgm.similarity_threshold = 0.4", "SET session_ctx.user_id = '7'",
        "SET pg_app.region = 'eu'", "SET session_info.name = 'x'",
        "SELECT set_config('session_ctx.user_id', '7', true)",
        "SELECT table_name FROM information_schema.tables"}) {
    CAPTURE(text);
    CHECK(judged(text, kTenantApp) == "");
  }
  for (const char* text : {"SET pg_stat_statements.track = 'all'",
                           "SET pg_hint_plan.debug_print = on", "SET session_exec.login_name = 'x'",
                           "SET auto_explain.log_analyze = on", "SET cron.database_name = 'x'",
                           "SET postern_guard.x = 1", "SET plpgsql.extra_errors = ''"}) {
    CAPTURE(text);
    CHECK(judged(text, kTenantApp) == "PST-1503 gate.setting");
  }
  for (const char* text : {"SELECT option_value FROM information_schema.user_mapping_options",
                           "SELECT * FROM information_schema.user_mappings"}) {
    CAPTURE(text);
    CHECK(judged(text, kTenantApp) == "PST-1505 gate.relation");
  }
}
