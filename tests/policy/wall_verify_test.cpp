// Verification and rollback of the wall on a real PostgreSQL 15.
#include <doctest/doctest.h>

#include "base/codes/gate.hpp"
#include "base/codes/wall.hpp"
#include "policy/wall_functions.hpp"
#include "tests/policy/wall_fixture.hpp"

using namespace postern;
using namespace postern::test;

namespace {

/// Everything about tables, views and policies that the wall may change.
constexpr const char* kState =
    "SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity, c.reloptions, p.polname, "
    "p.polpermissive, p.polcmd, p.polroles, pg_get_expr(p.polqual, p.polrelid) FROM pg_class c "
    "LEFT "
    "JOIN pg_policy p ON p.polrelid = c.oid WHERE c.relnamespace = 'public'::regnamespace AND "
    "c.relkind IN ('r', 'p', 'v') ORDER BY c.relname, p.polname";

bool names(const std::vector<policy::WallDifference>& differences, const std::string& object,
           const std::string& problem) {
  for (const auto& difference : differences) {
    if (difference.object == object && difference.problem.find(problem) != std::string::npos) {
      return true;
    }
  }
  return false;
}

std::string listed(const std::vector<policy::WallDifference>& differences) {
  std::string out;
  for (const auto& d : differences) out += d.object + ": " + d.problem + "\n";
  return out;
}

struct Drift {
  const char* sql;
  const char* object;
  const char* problem;
};

// Each is one thing an administrator, or an attacker with an owner's rights, might do.
constexpr Drift kDrifts[] = {
    {"ALTER TABLE cust DISABLE ROW LEVEL SECURITY", "\"public\".\"cust\"", "is disabled"},
    {"ALTER TABLE cust NO FORCE ROW LEVEL SECURITY", "\"public\".\"cust\"", "bind the owner"},
    {"ALTER TABLE part_a2 DISABLE ROW LEVEL SECURITY", "\"public\".\"part_a2\"", "is disabled"},
    {"DROP POLICY postern_tenant ON t_domain", "\"public\".\"t_domain\"", "is missing"},
    {"ALTER POLICY postern_tenant ON cust USING (true)", "\"public\".\"cust\"", "was changed"},
    {"ALTER POLICY postern_tenant ON cust WITH CHECK (tenant > 0)", "\"public\".\"cust\"",
     "was changed"},
    {"ALTER POLICY postern_tenant ON cust TO own", "\"public\".\"cust\"", "was changed"},
    {"DROP POLICY postern_tenant ON cust; CREATE POLICY postern_tenant ON cust USING (tenant = "
     "(SELECT postern.tenant()::int))",
     "\"public\".\"cust\"", "was changed"},
    {"CREATE POLICY evil ON cust USING (true)", "\"public\".\"cust\"", "policy evil"},
    {"CREATE POLICY postern_allow ON biz USING (true)", "\"public\".\"biz\"", "more through"},
    {"DROP POLICY postern_allow ON cust", "\"public\".\"cust\"", "postern_allow is missing"},
    {"CREATE OR REPLACE FUNCTION postern.tenant() RETURNS text LANGUAGE sql STABLE AS $$SELECT "
     "'2'$$",
     "postern.tenant()", "was replaced"},
    {"ALTER FUNCTION postern.tenant() SECURITY INVOKER", "postern.tenant()",
     "declared differently"},
    {"ALTER FUNCTION postern.tenant() RESET search_path", "postern.tenant()",
     "declared differently"},
    {"ALTER FUNCTION postern.context() OWNER TO own", "postern.context()", "declared differently"},
    {"GRANT EXECUTE ON FUNCTION postern.context() TO PUBLIC", "postern.context()",
     "declared differently"},
    {"ALTER FUNCTION postern.subject() RENAME TO was_subject", "postern.subject()", "is missing"},
    {"GRANT SELECT ON postern.context_key TO app", "\"postern\".\"context_key\"", "app has SELECT"},
    {"ALTER TABLE postern.context_key DISABLE ROW LEVEL SECURITY", "\"postern\".\"context_key\"",
     "is disabled"},
    {"CREATE POLICY peek ON postern.context_key USING (true)", "\"postern\".\"context_key\"",
     "unknown policy peek"},
    {"GRANT UPDATE ON postern.wall_state TO PUBLIC", "\"postern\".\"wall_state\"",
     "public has UPDATE"},
    {"GRANT CREATE ON SCHEMA postern TO app", "postern", "app may create"},
    {"ALTER EVENT TRIGGER postern_wall_1 DISABLE; ALTER VIEW v_cust SET (security_invoker = false);"
     "ALTER EVENT TRIGGER postern_wall_1 ENABLE ALWAYS",
     "\"public\".\"v_cust\"", "view reads"},
    {"ALTER EVENT TRIGGER postern_wall_2 DISABLE", "postern_wall_2", "is disabled"},
    {"ALTER TABLE cust OWNER TO app", "\"public\".\"cust\"", "belongs to app now"},
    {"ALTER EVENT TRIGGER postern_wall_1 DISABLE; CREATE TABLE part_e (id int, tenant int, v text);"
     "ALTER TABLE part_a ATTACH PARTITION part_e FOR VALUES IN (5)",
     "\"public\".\"part_e\"", "is missing"},
    {"ALTER ROLE app BYPASSRLS", "app", "BYPASSRLS"},
    {"GRANT postern_owner TO app", "app", "member of the wall's owner"},
    {"ALTER EVENT TRIGGER postern_wall_3 DISABLE", "postern_wall_3", "is disabled"},
    {"ALTER EVENT TRIGGER postern_wall_4 DISABLE", "postern_wall_4", "is disabled"},
    {"ALTER ROLE postern_owner LOGIN", "postern_owner", "can log in"},
    {"REVOKE pg_read_all_stats FROM postern_owner", "postern_owner", "backends started"},
    {"ALTER DOMAIN postern.pe1 DROP CONSTRAINT pe1_container", "postern.pe1", "missing"},
    {"ALTER DOMAIN postern.pe1 DROP CONSTRAINT pe1_container; ALTER DOMAIN postern.pe1 ADD CHECK "
     "(length(VALUE) > 0)",
     "postern.pe1", "differs"},
};

}  // namespace

TEST_CASE("each drift is named, and its repair mends it") {
  WallFixture f;
  REQUIRE(f.apply().find("ERROR") == std::string::npos);
  auto clean = f.differences();
  INFO(listed(clean));
  REQUIRE(clean.empty());
  const std::string hash = f.admin.run(policy::wall_hash_sql(*f.rules(), f.options));
  Psql app = f.session("app");  // no privilege is needed
  app.run("SET search_path = ''");
  CHECK(app.rows(policy::wall_verify_sql(*f.rules(), f.options)).size() > 100);
  REQUIRE(hash.size() == 64);
  for (const Drift& drift : kDrifts) {
    CAPTURE(drift.sql);
    REQUIRE(f.admin.run(drift.sql).find("ERROR") == std::string::npos);
    const auto found = f.differences();
    INFO(listed(found));
    CHECK(names(found, drift.object, drift.problem));
    CHECK(f.admin.run(policy::wall_hash_sql(*f.rules(), f.options)) != hash);
    for (const auto& difference : found) {
      const bool command = difference.repair.starts_with("--");
      if (!command)
        CHECK(f.admin.run(difference.repair).find("ERROR") == std::string::npos);
      else
        REQUIRE(f.apply().find("ERROR") == std::string::npos);
    }
    f.admin.run("DROP FUNCTION IF EXISTS postern.was_subject()");
    const auto after = f.differences();
    INFO(listed(after));
    CHECK(after.empty());
  }
}

TEST_CASE("who may become the owner of walled tables is named, and nobody is revoked unasked") {
  WallFixture f;
  REQUIRE(f.apply().find("ERROR") == std::string::npos);
  REQUIRE(f.admin.run("GRANT own TO app") == "");
  const auto found = f.differences();
  REQUIRE(f.admin.run("REVOKE own FROM app") == "");
  REQUIRE(found.size() == 1);
  CHECK(names(found, "app", "member of a role that owns walled tables"));
  CHECK(found.front().repair.starts_with("--"));
  CHECK(f.differences().empty());
}

TEST_CASE("a login that owns walled tables itself is not named, one that may become an owner is") {
  WallFixture f;
  REQUIRE(f.admin.run("ALTER TABLE cust OWNER TO app") == "");
  REQUIRE(f.apply().find("ERROR") == std::string::npos);
  INFO(listed(f.differences()));
  CHECK(f.differences().empty());
  REQUIRE(f.admin.run("CREATE ROLE near_owner; GRANT own TO near_owner; GRANT near_owner TO app") ==
          "");
  CHECK(names(f.differences(), "app", "member of a role that owns walled tables"));
  REQUIRE(f.admin.run("REVOKE near_owner FROM app; DROP ROLE near_owner") == "");
  CHECK(f.differences().empty());
}

TEST_CASE("tables and partitions made after the wall are named") {
  WallFixture f;
  REQUIRE(f.apply().find("ERROR") == std::string::npos);
  const auto rules = f.rules();  // compiled before the new tables
  // As where no superuser applied the wall.
  REQUIRE(f.admin.run("DROP EVENT TRIGGER postern_wall_1; DROP EVENT TRIGGER postern_wall_2") ==
          "");
  REQUIRE(f.admin.run("CREATE TABLE late (tenant int); CREATE TABLE late_kinds (kind text); "
                      "CREATE TABLE part_a3 PARTITION OF part_a FOR VALUES IN (3)") == "");
  std::vector<policy::WallRow> rows;
  REQUIRE(f.admin.run("SET search_path = ''") == "");
  for (const auto& row : f.admin.rows(policy::wall_verify_sql(*rules, f.options))) {
    rows.push_back({row.at(0), row.at(1), row.at(2), row.at(3)});
  }
  const auto found = policy::verify_wall(*rules, f.options, rows);
  CHECK(found.size() == 2);
  CHECK(names(found, "\"public\".\"late\"", "no wall"));
  CHECK(names(found, "\"public\".\"part_a3\"", "no wall"));
  const auto status = policy::wall_status(found);
  REQUIRE_FALSE(status);
  CHECK(status.error().code == pst::kWallDrift);
  CHECK(status.error().what.find("and 1 more") != std::string::npos);
  CHECK(policy::wall_status({}));
  REQUIRE(f.admin.run("RESET search_path") == "");
  REQUIRE(f.apply().find("ERROR") == std::string::npos);
  CHECK(f.differences().empty());
}

TEST_CASE("a table made after the ruleset counts as walled only where its policy is the wall's") {
  WallFixture f;
  REQUIRE(f.apply().find("ERROR") == std::string::npos);
  const auto rules = f.rules();  // compiled before the new tables
  const auto found = [&] {
    std::vector<policy::WallRow> rows;
    REQUIRE(f.admin.run("SET search_path = ''") == "");
    for (const auto& row : f.admin.rows(policy::wall_verify_sql(*rules, f.options))) {
      rows.push_back({row.at(0), row.at(1), row.at(2), row.at(3)});
    }
    REQUIRE(f.admin.run("RESET search_path") == "");
    return policy::verify_wall(*rules, f.options, rows);
  };
  // By the event trigger, of each type a tenant column may have, and below a table that is new too.
  REQUIRE(f.admin.run("CREATE TABLE late (id int, tenant int, other int); "
                      "CREATE TABLE late_v (tenant varchar(9)); "
                      "CREATE TABLE late_p (tenant uuid) PARTITION BY LIST (tenant); "
                      "CREATE TABLE late_p1 PARTITION OF late_p DEFAULT; "
                      "CREATE TABLE part_a4 PARTITION OF part_a FOR VALUES IN (4)") == "");
  INFO(listed(found()));
  CHECK(found().empty());
  const std::string wall = "(tenant = (SELECT postern.tenant()::int4))";
  for (const std::string& policy :
       {std::string("(true OR tenant = (SELECT postern.tenant()::int4))"),
        std::string("(postern.tenant() IS NOT NULL)"),
        std::string("(other = (SELECT postern.tenant()::int4))"),
        std::string("(tenant <> (SELECT postern.tenant()::int4))"),
        "(" + wall + ") WITH CHECK (postern.tenant() = postern.tenant())"}) {
    CAPTURE(policy);
    const bool both = policy.find("WITH CHECK") != std::string::npos;
    REQUIRE(f.admin.run("ALTER POLICY postern_tenant ON late USING " + policy +
                        (both ? "" : " WITH CHECK " + policy)) == "");
    CHECK(names(found(), "\"public\".\"late\"", "no wall"));
  }
  REQUIRE(f.admin.run("ALTER POLICY postern_tenant ON late USING " + wall + " WITH CHECK " +
                      wall) == "");
  CHECK(found().empty());
  REQUIRE(f.admin.run("ALTER POLICY postern_tenant ON late TO app") == "");
  CHECK(names(found(), "\"public\".\"late\"", "no wall"));
}

TEST_CASE("a table that was walled and lost it is named, whatever it lost") {
  WallFixture f;
  REQUIRE(f.admin.run("CREATE TABLE lost (id int, tenant int); CREATE TABLE gone (tenant int)") ==
          "");
  REQUIRE(f.apply().find("ERROR") == std::string::npos);
  REQUIRE(f.differences().empty());
  // With the column goes the policy that reads it; compiled anew the ruleset does not know it.
  REQUIRE(f.admin.run("ALTER TABLE lost DROP COLUMN tenant CASCADE").find("ERROR") ==
          std::string::npos);
  CHECK(names(f.differences(), "\"public\".\"lost\"", "has lost its wall"));
  REQUIRE(f.admin.run("ALTER TABLE lost RENAME TO found").find("ERROR") == std::string::npos);
  CHECK(names(f.differences(), "\"public\".\"found\"", "has lost its wall"));
  f.policy_options.shared.push_back("public.found");  // said to have no tenant from now on
  REQUIRE(f.apply().find("ERROR") == std::string::npos);
  INFO(listed(f.differences()));
  CHECK(f.differences().empty());
  REQUIRE(f.admin.run("DROP TABLE gone").find("ERROR") == std::string::npos);
  CHECK(f.differences().empty());
}

TEST_CASE("a role that reaches one beyond the wall is named, through any number of others") {
  WallFixture f;
  REQUIRE(f.apply().find("ERROR") == std::string::npos);
  REQUIRE(f.differences().empty());
  REQUIRE(f.admin.run("CREATE ROLE far_one BYPASSRLS; CREATE ROLE far_two; GRANT far_one TO "
                      "far_two") == "");
  CHECK(f.differences().empty());
  // Without inheriting it, SET ROLE still goes there.
  REQUIRE(f.admin.run("ALTER ROLE app NOINHERIT; GRANT far_two TO app") == "");
  CHECK(names(f.differences(), "app", "SET ROLE leaves the wall"));
  REQUIRE(f.admin.run("ALTER ROLE far_one NOBYPASSRLS") == "");
  CHECK(f.differences().empty());
  REQUIRE(f.admin.run("REVOKE far_two FROM app; DROP ROLE far_two, far_one") == "");
}

TEST_CASE("the plan may be applied twice and taken back entirely") {
  WallFixture f;
  const std::string before = f.admin.run(kState);
  CHECK(f.admin.run(policy::wall_verify_sql(*f.rules(), f.options)).starts_with("ERROR:  42P01"));
  REQUIRE(f.apply().find("ERROR") == std::string::npos);
  const std::string walled = f.admin.run(kState);
  CHECK(walled != before);
  const auto first = policy::wall_plan(*f.rules(), f.options);
  REQUIRE(f.apply().find("ERROR") == std::string::npos);  // planned anew from the walled database
  CHECK(f.admin.run(kState) == walled);
  REQUIRE(f.admin.run(*first).find("ERROR") == std::string::npos);  // the very same text again
  CHECK(f.admin.run(kState) == walled);
  CHECK(f.differences().empty());
  for (int i = 0; i < 2; ++i) {
    const std::string answer = f.admin.run(policy::wall_rollback(f.options));
    CHECK(answer.find("ERROR") == std::string::npos);
    CHECK(f.admin.run(kState) == before);
    CHECK(f.admin.run("SELECT to_regnamespace('postern') IS NULL") == "t");
  }
  REQUIRE(f.apply().find("ERROR") == std::string::npos);
  REQUIRE(f.admin.run("CREATE TABLE sealed (tenant int, v postern.pe1)") == "");
  CHECK(f.admin.run(policy::wall_rollback(f.options)).find("WARNING") != std::string::npos);
  CHECK(f.admin.run("SELECT to_regtype('postern.pe1') IS NOT NULL, to_regclass("
                    "'postern.context_key') IS NULL") == "t\x1ft");
  REQUIRE(f.apply().find("ERROR") == std::string::npos);
  CHECK(f.differences().empty());
}

TEST_CASE("a role without superuser can raise the wall") {
  WallFixture f;
  REQUIRE(f.admin.run("CREATE ROLE dba" + f.database + " LOGIN CREATEROLE; GRANT own TO dba" +
                      f.database + "; GRANT CREATE ON DATABASE " + f.database + " TO dba" +
                      f.database + "; ALTER VIEW v_cust OWNER TO own") == "");
  f.options.owner_role = "owner_of_" + f.database;
  Psql dba = f.session("dba" + f.database);
  const auto plan = policy::wall_plan(*f.rules(), f.options);
  REQUIRE(plan);
  const std::string answer = dba.run(*plan);
  CAPTURE(answer);
  CHECK(answer.find("ERROR") == std::string::npos);
  CHECK(answer.find("no event trigger") != std::string::npos);
  const auto found = f.differences();
  INFO(listed(found));
  CHECK(found.empty());
  // What an event trigger would have done is drift until the plan is applied again.
  REQUIRE(f.admin.run("SET ROLE own; CREATE TABLE late (tenant int); CREATE TABLE part_a3 "
                      "PARTITION OF part_a FOR VALUES IN (3); RESET ROLE") == "");
  // Row security, FORCE, policy and record of each.
  CHECK(f.differences().size() == 8);
  const auto again = policy::wall_plan(*f.rules(), f.options);
  REQUIRE(again);
  CHECK(dba.run(*again).find("ERROR") == std::string::npos);
  CHECK(listed(f.differences()) == "");
  CHECK(dba.run(policy::wall_rollback(f.options)).find("ERROR") == std::string::npos);
  CHECK(f.admin.run("SELECT count(*) FROM pg_policy WHERE polname LIKE 'postern%'") == "0");
}

TEST_CASE("an unsuitable tenant column is refused before anything is planned") {
  WallFixture f;
  REQUIRE(f.admin.run("CREATE TABLE money_tenant (tenant money)") == "");
  const auto plan = policy::wall_plan(*f.rules(), f.options);
  REQUIRE_FALSE(plan);
  CHECK(plan.error().code == pst::kPolicyBadColumn);
  CHECK(plan.error().what.find("public.money_tenant.tenant") != std::string::npos);
}
