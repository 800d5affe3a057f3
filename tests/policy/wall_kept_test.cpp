// An owner of tables against their wall on a real PostgreSQL 15: in blocks and functions too, where
// no gate reads along.
#include <doctest/doctest.h>

#include "tests/policy/wall_fixture.hpp"

using namespace postern;
using namespace postern::test;

namespace {

void apply(WallFixture& f) {
  const std::string answer = f.apply();
  CAPTURE(answer);
  REQUIRE(answer.find("ERROR") == std::string::npos);
}

constexpr const char* kOpening[] = {
    "ALTER TABLE cust DISABLE ROW LEVEL SECURITY",
    "ALTER TABLE cust NO FORCE ROW LEVEL SECURITY",
    "ALTER TABLE part_a1 DISABLE ROW LEVEL SECURITY",
    "ALTER TABLE cust RENAME TO gone; ALTER TABLE gone NO FORCE ROW LEVEL SECURITY",
    "DROP POLICY postern_tenant ON cust",
    "DROP POLICY postern_allow ON cust",
    "ALTER POLICY postern_tenant ON cust USING (true) WITH CHECK (true)",
    "ALTER POLICY postern_tenant ON cust TO own",
    "ALTER POLICY postern_tenant ON cust RENAME TO former",
    "ALTER TABLE cust DROP COLUMN tenant CASCADE",
    "DROP DOMAIN tenant_no CASCADE",
    "CREATE TABLE above (id int, ssn text); ALTER TABLE cust INHERIT above",
    "ALTER TABLE cust OWNER TO strong",
};

}  // namespace

TEST_CASE("an owner cannot open the wall of a table, in a block, a function or a transaction") {
  WallFixture f;
  f.policy_options.shared.push_back("public.above");
  REQUIRE(f.admin.run("ALTER DOMAIN tenant_no OWNER TO own; GRANT ALL ON SCHEMA public TO own") ==
          "");
  f.admin.run(
      "CREATE ROLE strong BYPASSRLS; GRANT strong TO own; GRANT CREATE ON SCHEMA public "
      "TO strong");
  apply(f);
  const char* state =
      "SELECT md5(string_agg(concat(c.relname, c.relrowsecurity, c.relforcerowsecurity, "
      "c.relowner, "
      "p.polname, pg_get_expr(p.polqual, p.polrelid)), ',' ORDER BY c.oid, p.oid)) FROM pg_class c "
      "LEFT JOIN pg_policy p ON p.polrelid = c.oid WHERE c.relnamespace = 'public'::regnamespace";
  const std::string before = f.admin.run(state);
  for (const std::string opening : kOpening) {
    CAPTURE(opening);
    Psql own = f.session("own");
    for (const std::string& text :
         {"BEGIN; " + opening, "DO $do$ BEGIN " + opening + "; END $do$",
          "CREATE FUNCTION open_it() RETURNS void LANGUAGE plpgsql AS $fn$ BEGIN " + opening +
              "; END $fn$; SELECT open_it()"}) {
      CAPTURE(text);
      const std::string answer = own.run(text);
      CHECK(answer.find("42501") != std::string::npos);
      CHECK(answer.find("PST-1612") != std::string::npos);
      own.run("ROLLBACK");
      own.run("DROP FUNCTION IF EXISTS open_it()");
      CHECK(f.admin.run(state) == before);
    }
    CHECK(own.run("SELECT count(*) FROM cust") == "0");
  }
  f.admin.run("REVOKE ALL ON SCHEMA public FROM strong; DROP ROLE strong");
}

TEST_CASE("an owner goes on with migrations, whoever applies plans opens walls") {
  WallFixture f;
  apply(f);
  Psql own = f.session("own");
  for (const char* honest :
       {"ALTER TABLE cust ADD COLUMN note text", "ALTER TABLE cust DROP COLUMN note",
        "ALTER TABLE cust RENAME TO customers", "ALTER TABLE customers RENAME TO cust",
        "CREATE POLICY few ON cust AS RESTRICTIVE USING (id < 1000)",
        "ALTER POLICY few ON cust USING (id < 2000)", "DROP POLICY few ON cust",
        "CREATE TABLE fresh (tenant int, v int)", "ALTER TABLE fresh ADD COLUMN w int",
        "CREATE TABLE fresh_child () INHERITS (fresh)", "ALTER TABLE fresh_child NO INHERIT fresh",
        "ALTER TABLE fresh_child INHERIT fresh", "DROP TABLE fresh CASCADE",
        "CREATE TABLE leaf (id int, tenant int, v text)",
        "ALTER TABLE part_a ATTACH PARTITION leaf FOR VALUES IN (3)",
        "ALTER TABLE part_a DETACH PARTITION leaf", "DROP TABLE leaf",
        "CREATE TEMP TABLE passing (x int)", "DROP TABLE passing"}) {
    CAPTURE(honest);
    const std::string answer = own.run(honest);
    CAPTURE(answer);
    CHECK(answer.find("ERROR") == std::string::npos);
  }
  CHECK(f.differences().empty());
  CHECK(f.admin.run("ALTER TABLE cust NO FORCE ROW LEVEL SECURITY; ALTER TABLE cust FORCE ROW "
                    "LEVEL SECURITY") == "");
  // A member of the wall's owner, as one who applies plans without being superuser.
  REQUIRE(f.admin.run("GRANT postern_owner TO own") == "");
  CHECK(own.run("ALTER TABLE cust NO FORCE ROW LEVEL SECURITY; ALTER TABLE cust FORCE ROW LEVEL "
                "SECURITY") == "");
  REQUIRE(f.admin.run("REVOKE postern_owner FROM own") == "");
  CHECK(own.run("ALTER TABLE cust NO FORCE ROW LEVEL SECURITY").find("PST-1612") !=
        std::string::npos);
}
