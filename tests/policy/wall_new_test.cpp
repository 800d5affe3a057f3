// Event triggers, business policies, reduced grants and broken-off plans on a real PostgreSQL 15.
#include <doctest/doctest.h>

#include "policy/wall_rules.hpp"
#include "tests/policy/wall_fixture.hpp"

using namespace postern;
using namespace postern::test;

namespace {

std::string listed(const std::vector<policy::WallDifference>& differences) {
  std::string out;
  for (const auto& d : differences) out += d.object + ": " + d.problem + "\n";
  return out;
}

void apply(WallFixture& f) {
  const std::string answer = f.apply();
  CAPTURE(answer);
  REQUIRE(answer.find("ERROR") == std::string::npos);
}

policy::BusinessRule rule(std::string name, char command, std::string condition) {
  policy::BusinessRule out;
  out.name = std::move(name);
  out.command = command;
  (command == 'a' ? out.check_text : out.using_text) = std::move(condition);
  return out;
}

/// Rows that tenant 1 sees, armed as subject "käthe@example.org" with roles clerk and "a,b".
std::string seen(WallFixture& f, const std::string& sql) {
  Psql app = f.session("app");
  f.arm(app, "1");
  return app.run(sql);
}

/// The statements of a plan, without its BEGIN and COMMIT, one by one. Statements end with ";" at a
/// line's end, bodies in dollar quotes aside.
std::vector<std::string> statements(const std::string& plan) {
  std::vector<std::string> out;
  std::string one;
  bool quoted = false;
  std::size_t begin = 0;
  while (begin < plan.size()) {
    const std::size_t end = std::min(plan.find('\n', begin), plan.size() - 1);
    const std::string line = plan.substr(begin, end - begin + 1);
    begin = end + 1;
    for (std::size_t at = line.find("$postern$"); at != std::string::npos;
         at = line.find("$postern$", at + 1)) {
      quoted = !quoted;
    }
    one += line;
    if (quoted || !line.ends_with(";\n")) continue;
    out.push_back(one);
    one.clear();
  }
  return out;
}

}  // namespace

TEST_CASE("the event trigger walls what is new, or refuses it") {
  WallFixture f;
  f.policy_options.tables.push_back({"public.ru*", "", {rule("mine", 'r', "v > 1")}});
  apply(f);
  REQUIRE(f.admin.run("GRANT CREATE ON SCHEMA public TO own; SET ROLE own") == "");
  REQUIRE(f.admin.run("CREATE TABLE late (tenant int, v int); CREATE TABLE late_no (tenant "
                      "tenant_no); CREATE TABLE \"Odd new\" (\"the tenant\" varchar(9))") == "");
  REQUIRE(f.admin.run("CREATE TABLE part_a3 PARTITION OF part_a FOR VALUES IN (3)") == "");
  REQUIRE(f.admin.run("CREATE TABLE lone (id int, tenant int, v text); ALTER TABLE part_a ATTACH "
                      "PARTITION lone FOR VALUES IN (4)") == "");
  REQUIRE(f.admin.run("CREATE TABLE heir2 () INHERITS (base)") == "");
  REQUIRE(f.admin.run("CREATE TABLE copied AS SELECT * FROM cust") == "");
  REQUIRE(f.admin.run("SELECT tenant INTO taken FROM cust") == "");
  REQUIRE(f.admin.run("CREATE TABLE ruled (tenant int, v int)") == "");
  REQUIRE(f.admin.run("CREATE TEMP TABLE passing (x int)") == "");
  REQUIRE(f.admin.run("CREATE VIEW v_late AS SELECT * FROM late; CREATE VIEW v_v AS SELECT * FROM "
                      "v_late; CREATE OR REPLACE VIEW v_v AS SELECT * FROM v_late") == "");
  const auto found = f.differences();
  INFO(listed(found));
  CHECK(found.empty());
  CHECK(f.admin.run("CREATE TABLE loose (x int)").starts_with("ERROR:  42P16"));
  CHECK(f.admin.run("CREATE TABLE loose (x int)").find("PST-1606") != std::string::npos);
  CHECK(f.admin.run("CREATE TABLE money_of (tenant money)").find("PST-1607") != std::string::npos);
  CHECK(f.admin.run("CREATE MATERIALIZED VIEW mv AS SELECT * FROM cust").find("PST-1607") !=
        std::string::npos);
  CHECK(f.admin.run("SELECT to_regclass('loose') IS NULL AND to_regclass('mv') IS NULL") == "t");
  REQUIRE(f.admin.run("CREATE MATERIALIZED VIEW fine AS SELECT * FROM plans") == "");
  REQUIRE(f.admin.run("ALTER TABLE plans ADD tenant int") == "");  // now it has tenants' rows
  REQUIRE(f.admin.run("RESET ROLE; INSERT INTO ruled VALUES (1, 1), (1, 2), (2, 3); GRANT SELECT "
                      "ON ruled, late, v_late, plans TO app") == "");
  CHECK(seen(f, "SELECT count(*) FROM ruled") == "1");
  CHECK(seen(f, "SELECT count(*) FROM plans") == "0");
  f.policy_options.refuse_new_tables = false;
  apply(f);
  CHECK(f.admin.run("CREATE TABLE loose (x int)") == "");
  CHECK(f.differences().empty());
  CHECK(f.admin.run(policy::wall_rollback(f.options)).find("ERROR") == std::string::npos);
  CHECK(f.admin.run("SELECT count(*) FROM pg_event_trigger") == "0");
  CHECK(f.admin.run("SELECT count(*) FROM pg_policy WHERE polname LIKE 'postern%'") == "0");
}

TEST_CASE("a rollback leaves the row security a table had before the event trigger walled it") {
  WallFixture f;
  apply(f);
  f.policy_options.refuse_new_tables = false;
  apply(f);
  // Two with row security of their own, one where it was prepared but off, one without any.
  REQUIRE(f.admin.run("CREATE TABLE strict (v int); CREATE TABLE plain_own (v int); CREATE TABLE "
                      "dormant (v int); CREATE TABLE bare (v int); GRANT SELECT ON strict, "
                      "plain_own, dormant, bare TO app") == "");
  REQUIRE(f.admin.run("CREATE POLICY none ON strict USING (v > 5); ALTER TABLE strict ENABLE ROW "
                      "LEVEL SECURITY; ALTER TABLE strict FORCE ROW LEVEL SECURITY") == "");
  REQUIRE(f.admin.run("CREATE POLICY none ON plain_own USING (v > 5); ALTER TABLE plain_own ENABLE "
                      "ROW LEVEL SECURITY") == "");
  REQUIRE(f.admin.run("CREATE POLICY none ON dormant USING (v > 5)") == "");
  const std::string flags =
      "SELECT string_agg(concat_ws(' ', relname, relrowsecurity, relforcerowsecurity), ', ' "
      "ORDER BY relname) FROM pg_class WHERE relname IN ('strict', 'plain_own', 'dormant', 'bare')";
  const std::string before = f.admin.run(flags);
  CHECK(before == "bare f f, dormant f f, plain_own t f, strict t t");
  for (const char* table : {"strict", "plain_own", "dormant", "bare"}) {
    REQUIRE(f.admin.run(std::string("ALTER TABLE ") + table + " ADD tenant int") == "");
  }
  CHECK(f.admin.run(flags) == "bare t t, dormant t t, plain_own t t, strict t t");
  INFO(listed(f.differences()));
  CHECK(f.differences().empty());
  REQUIRE(f.admin.run(policy::wall_rollback(f.options)).find("ERROR") == std::string::npos);
  CHECK(f.admin.run(flags) == before);
}

TEST_CASE("business policies are installed, verified, changed and taken back") {
  WallFixture f;
  const std::string before =
      f.admin.run("SELECT polname, polrelid::regclass FROM pg_policy ORDER BY 1, 2");
  f.policy_options.tables.push_back(
      {"public.cust",
       "",
       {rule("few", 'r', "id <= 50 -- the first"), rule("clerks", 'w', "postern.has_role('clerk')"),
        rule("nobody", 'a', "postern.subject() = 'nobody'")}});
  policy::BusinessRule odd = rule("odd", '*', "id % 2 = 1");
  odd.permissive = false;
  odd.roles = {"app"};
  f.policy_options.tables.push_back({"public.cust", "", {odd}});
  f.policy_options.tables.push_back({"public.part", "", {rule("v", '*', "v <> 'x'")}});
  apply(f);
  CHECK(listed(f.differences()) == "");
  CHECK(seen(f, "SELECT count(*) FROM cust") == "25");
  CHECK(seen(f,
             "UPDATE cust SET ssn = 'y' WHERE id < 10; SELECT count(*) FROM cust WHERE ssn = "
             "'y'") == "5");
  CHECK(seen(f, "INSERT INTO cust VALUES (1001, 1, 'z')").starts_with("ERROR:  42501"));
  CHECK(seen(f, "WITH d AS (DELETE FROM cust RETURNING 1) SELECT count(*) FROM d") == "0");
  CHECK(seen(f, "SELECT count(*) FROM part_a1") == "1");  // a leaf has its parent's policies
  for (const char* drift : {"DROP POLICY postern_rule_odd ON cust",
                            "ALTER POLICY postern_rule_few ON cust USING (true)",
                            "ALTER POLICY postern_rule_odd ON cust TO own",
                            "CREATE POLICY postern_rule_more ON cust USING (true)",
                            "ALTER POLICY postern_allow ON cust USING (true)"}) {
    CAPTURE(drift);
    REQUIRE(f.admin.run(drift) == "");
    CHECK(f.differences().size() == 1);
    apply(f);
    CHECK(listed(f.differences()) == "");
  }
  f.policy_options.tables[f.policy_options.tables.size() - 2].policies[0].using_text = "id % 2 = 0";
  CHECK(listed(f.differences()).find("policy odd of the configuration") != std::string::npos);
  apply(f);
  CHECK(seen(f, "SELECT count(*) FROM cust WHERE id % 2 = 0") == "25");
  f.policy_options.tables.resize(2);  // none any more
  // The functions of the triggers, those on cust, and those on part with its leaves.
  CHECK(f.differences().size() == 3 + 4 + 1 + 5 * 2);
  apply(f);
  CHECK(listed(f.differences()) == "");
  CHECK(seen(f, "SELECT count(*) FROM cust") == "100");
  REQUIRE(f.admin.run(policy::wall_rollback(f.options)).find("ERROR") == std::string::npos);
  CHECK(f.admin.run("SELECT polname, polrelid::regclass FROM pg_policy ORDER BY 1, 2") == before);
}

TEST_CASE("a business policy that is no SQL leaves everything as it was") {
  WallFixture f;
  apply(f);
  const char* state =
      "SELECT polname, polrelid, pg_get_expr(polqual, polrelid), (SELECT count(*) FROM "
      "pg_event_trigger) FROM pg_policy ORDER BY 1, 2";
  const std::string before = f.admin.run(state);
  for (const char* text : {"no_such_column = 1", "id = ", "postern.no_function()", "id"}) {
    f.policy_options.tables.resize(2);
    f.policy_options.tables.push_back({"public.cust", "", {rule("bad", 'r', text)}});
    const auto plan = policy::wall_plan(*f.rules(), f.options);
    REQUIRE(plan);
    CHECK(f.admin.run(*plan).find("ERROR") != std::string::npos);
    f.admin.run("ROLLBACK");
    CHECK(f.admin.run(state) == before);
  }
  f.policy_options.tables.back().policies[0].using_text = "'$postern$' = v";
  CHECK_FALSE(policy::wall_plan(*f.rules(), f.options));
}

TEST_CASE("privileges beyond rows are taken, and given back") {
  WallFixture f;
  REQUIRE(
      f.admin.run("GRANT ALL ON cust TO app; GRANT TRUNCATE ON plans TO PUBLIC; CREATE SEQUENCE "
                  "numbers; GRANT ALL ON SEQUENCE numbers TO app WITH GRANT OPTION") == "");
  const char* grants =
      "SELECT c.relname, a.grantee, a.privilege_type, a.is_grantable FROM pg_class c, "
      "aclexplode(c.relacl) a WHERE c.relnamespace = 'public'::regnamespace AND a.grantee <> "
      "c.relowner ORDER BY 1, 2, 3";
  const std::string before = f.admin.run(grants);
  const char* beyond =
      "SELECT count(*) FROM pg_class c, aclexplode(c.relacl) a WHERE c.relnamespace = "
      "'public'::regnamespace AND a.grantee <> c.relowner AND (a.privilege_type IN ('TRUNCATE', "
      "'REFERENCES', 'TRIGGER') OR c.relkind = 'S' AND a.privilege_type = 'UPDATE')";
  apply(f);
  CHECK(f.admin.run(grants) == before);
  f.options.reduce_grants = true;
  apply(f);
  CHECK(f.admin.run(beyond) == "0");
  CHECK(f.differences().empty());
  apply(f);
  REQUIRE(f.admin.run(policy::wall_rollback(f.options)).find("ERROR") == std::string::npos);
  CHECK(f.admin.run(grants) == before);
}

TEST_CASE("a plan broken off after any of its statements leaves nothing") {
  WallFixture f;
  f.policy_options.tables.push_back({"public.biz", "", {rule("few", 'r', "region = 'eu'")}});
  f.options.reduce_grants = true;
  const auto plan = policy::wall_plan(*f.rules(), f.options);
  REQUIRE(plan);
  const std::vector<std::string> parts = statements(*plan);
  REQUIRE(parts.size() > 100);
  REQUIRE(parts.front() == "BEGIN;\n");
  REQUIRE(parts.back().ends_with("COMMIT;\n"));
  const char* state =
      "SELECT (SELECT count(*) FROM pg_policy), (SELECT count(*) FROM pg_event_trigger), (SELECT "
      "count(*) FROM pg_class WHERE relrowsecurity OR relforcerowsecurity), (SELECT count(*) FROM "
      "pg_proc), (SELECT count(*) FROM pg_class), to_regnamespace('postern') IS NULL";
  const std::string before = f.admin.run(state);
  std::string text;
  std::size_t cuts = 0;
  for (std::size_t k = 0; k + 1 < parts.size(); ++k) {
    text += parts[k];
    // Every statement once; of the many tables' ones those of the first few.
    if (k > 60 && k + 12 < parts.size() && k % 9 != 0) continue;
    ++cuts;
    {
      Psql torn = f.session("postgres");
      CHECK(torn.run(text).find("ERROR") == std::string::npos);
      torn.run("SELECT pg_terminate_backend(pg_backend_pid())");
    }
    CAPTURE(k);
    CHECK(f.admin.run(state) == before);
  }
  CHECK(cuts > 60);
  apply(f);
  CHECK(f.differences().empty());
  // Half a wall, as after a restore that broke off: the very same plan mends it.
  REQUIRE(f.admin
              .run("DROP TABLE postern.wall_state; DROP FUNCTION postern.has_role(text); DROP "
                   "POLICY postern_tenant ON cust; ALTER TABLE biz DISABLE ROW LEVEL SECURITY")
              .find("ERROR") == std::string::npos);
  apply(f);
  CHECK(listed(f.differences()) == "");
}
