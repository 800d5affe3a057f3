#include "proxy/session/state_scan.hpp"

#include <doctest/doctest.h>

using namespace postern::proxy;
using Hint = StateHint;

namespace {

Hint hint(std::string_view sql) {
  return scan_state(sql).hint;
}

}  // namespace

TEST_CASE("texts without lasting effect are not suspected") {
  for (const char* sql : {"",
                          "SELECT 1",
                          "UPDATE t SET a = 1 WHERE b = 2",
                          "INSERT INTO t VALUES ('set x = 1')",
                          "BEGIN; SET LOCAL timezone = 'UTC'; SELECT 1; COMMIT",
                          "SET TRANSACTION READ ONLY",
                          "SET CONSTRAINTS ALL DEFERRED",
                          "SELECT set_config('app.tenant', '7', true)",
                          "SELECT 1 AS set_config FROM t",
                          "SELECT '; SET x = 1'",
                          "SELECT $$; SET x = 1$$",
                          "/* SET x = 1 */ SELECT 1",
                          "-- ; SET x = 1\nSELECT 1",
                          "SELECT \"; set x\" FROM t",
                          "SELECT temperature, temporal FROM t",
                          "SELECT temp, w.temporary AS temp FROM w",
                          "CREATE TABLE w (temp int)",
                          "SELECT pg_advisory_xact_lock(1)",
                          "SELECT pg_catalog.Pg_Try_Advisory_Xact_Lock_Shared(1, 2)",
                          "CREATE TABLE discard_all (do_it int)"}) {
    CAPTURE(sql);
    CHECK(hint(sql) == Hint::kNone);
  }
}

TEST_CASE("settings that outlive the transaction") {
  for (const char* sql :
       {"SET timezone = 'UTC'", "set session TimeZone to 'UTC'", "SELECT 1; SET x.y = 1",
        "SELECT '--'; SET x.y = 1", "/* a /* b */ */ SET TIME ZONE 'UTC'", "RESET ALL",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", "SET ROLE bob",
        "SELECT set_config('search_path', 'a', false)", "SELECT \"set_config\"('a', 'b', false)",
        "SELECT set_config('a', f(1, 2), false)", "UPDATE pg_settings SET setting = 'x'",
        "SELECT pg_catalog.set_config('a', 'b', 1 = 2)"}) {
    CAPTURE(sql);
    CHECK(has(hint(sql), Hint::kSettings));
    CHECK_FALSE(has(hint(sql), Hint::kUnfollowed));
  }
}

TEST_CASE("application parameters are remembered by name") {
  CHECK(scan_state("SET My.Tenant = 7").custom == std::vector<std::string>{"my.tenant"});
  CHECK(scan_state("SET SESSION a.b TO 1; RESET c.d").custom ==
        std::vector<std::string>{"a.b", "c.d"});
  CHECK(scan_state("SELECT set_config('App.User', $1, false)").custom ==
        std::vector<std::string>{"app.user"});
  CHECK(scan_state("SET a.b.C = 1").custom == std::vector<std::string>{"a.b.c"});
  CHECK(scan_state("SET timezone = 'UTC'").custom.empty());
}

TEST_CASE("what nothing asks about and nothing undoes") {
  for (const char* sql :
       {"SELECT pg_backup_start('x', true)", "SELECT lsn FROM pg_catalog.pg_backup_stop()",
        "select PG_START_BACKUP('x')", "SELECT pg_replication_origin_session_setup('o')",
        "SELECT dblink_connect('a', 'dbname=b')", "SELECT \"dblink_connect_u\"('a', 'dbname=b')",
        "SELECT dblink_disconnect('a')",
        "SELECT pg_create_physical_replication_slot('s', true, true)",
        "SELECT * FROM pg_create_logical_replication_slot('s', 'pgoutput', true)"}) {
    CAPTURE(sql);
    CHECK(has(hint(sql), Hint::kUnfollowed));
  }
  for (const char* sql :
       {"SELECT 'pg_backup_start'", "SELECT * FROM dblink('dbname=b', 'SELECT 1')",
        "SELECT pg_backup_started FROM t"}) {
    CAPTURE(sql);
    CHECK(hint(sql) == Hint::kNone);
  }
}

TEST_CASE("objects of the session") {
  CHECK(has(hint("CREATE TEMP TABLE t (a int)"), Hint::kTemporary));
  for (const char* sql :
       {"CREATE LOCAL TEMPORARY VIEW v AS SELECT 1", "create or replace temp view v as select 1",
        "CREATE GLOBAL TEMP SEQUENCE s", "SELECT 1 INTO TEMP t",
        "SELECT 1 INTO LOCAL TEMPORARY TABLE t"}) {
    CAPTURE(sql);
    CHECK(has(hint(sql), Hint::kTemporary));
  }
  CHECK(has(hint("SELECT * INTO pg_temp.x FROM t"), Hint::kTemporary));
  CHECK(has(hint("SET LOCAL search_path = 'pg_temp'"), Hint::kTemporary));
  CHECK(has(hint("SELECT set_config('search_path', $1, true)"), Hint::kTemporary));
  CHECK(has(hint("SELECT pg_advisory_lock(1)"), Hint::kAdvisory));
  CHECK(has(hint("SELECT pg_try_advisory_lock_shared(1)"), Hint::kAdvisory));
  CHECK(has(hint("LISTEN jobs"), Hint::kListen));
  CHECK(has(hint("DECLARE c CURSOR WITH HOLD FOR SELECT 1"), Hint::kCursor));
  CHECK(has(hint("PREPARE p AS SELECT 1"), Hint::kPrepared));
  CHECK(hint("DO $$ BEGIN END $$") == kAllState);
  CHECK(hint("CALL p()") == kAllState);
  CHECK(hint("DROP TABLE t") == Hint::kRelease);
}

TEST_CASE("what cannot be seen through is kept") {
  CHECK(has(hint("LOAD 'auto_explain'"), Hint::kUnfollowed));
  CHECK(has(hint("SET session_authorization = 'bob'"), Hint::kUnfollowed));
  CHECK(has(hint("SELECT set_config('session_authorization', 'bob', false)"), Hint::kUnfollowed));
  CHECK(has(hint("SET SESSION AUTHORIZATION bob"), Hint::kUnfollowed));
  CHECK(has(hint("SELECT set_config($1, $2, false)"), Hint::kUnfollowed));
  CHECK(has(hint("SELECT U&\"set\\005fconfig\"('a', 'b', false)"), Hint::kUnfollowed));
  CHECK(has(hint("SET x = 'unterminated"), Hint::kUnfollowed));
  CHECK(has(hint("EXPLAIN ANALYZE EXECUTE p"), Hint::kSettings));
}

TEST_CASE("longer than the scan: anything") {
  std::string text = "SET a.b = 1";
  for (std::size_t i = 0; i < kMaxScanTokens / 2; ++i) text += "; x";
  CHECK(has(hint(text), Hint::kUnfollowed));
}
