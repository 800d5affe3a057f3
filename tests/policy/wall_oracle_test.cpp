// The wall on a real PostgreSQL 15: who sees what with which context, and what verification finds.
#include <doctest/doctest.h>

#include "policy/arming.hpp"
#include "tests/policy/wall_fixture.hpp"

using namespace postern;
using namespace postern::test;

namespace {

bool is_error(const std::string& answer, const std::string& sqlstate) {
  return answer.find("ERROR:  " + sqlstate) != std::string::npos;
}

/// The plan, run by hand: any error of any statement shows here.
std::string apply_clean(WallFixture& fixture) {
  const std::string answer = fixture.apply();
  return answer.find("ERROR") == std::string::npos ? "" : answer;
}

}  // namespace

TEST_CASE("the right context shows the tenant's own rows, whatever the type of the column") {
  WallFixture f;
  REQUIRE(apply_clean(f) == "");
  Psql app = f.session("app");
  CHECK(app.run("SELECT count(*) FROM cust") == "0");
  CHECK_FALSE(f.arm(app, "1").empty());
  CHECK(app.run("SELECT count(*), count(DISTINCT tenant) FROM cust") ==
        "100\x1f"
        "1");
  for (const char* table :
       {"t_text", "t_varchar", "t_bpchar", "t_small", "t_domain", "\"Odd \"\"name\""}) {
    CAPTURE(table);
    CHECK(app.run(std::string("SELECT v FROM ") + table) == "1");
  }
  CHECK(app.run("SELECT name FROM plans") == "free");
  CHECK(app.run("SELECT postern.tenant(), postern.subject()") == "1\x1fkäthe@example.org");
  CHECK(app.run("SELECT postern.has_role('clerk'), postern.has_role('a,b'), "
                "postern.has_role('a'), postern.has_role('')") ==
        "t\x1ft\x1f"
        "f\x1f"
        "f");
  CHECK(app.run(std::string(policy::kDisarmSql)) == "");
  CHECK(app.run("SELECT count(*) FROM cust") == "0");
  CHECK(app.run("SELECT postern.tenant() IS NULL, postern.has_role('clerk')") ==
        "t\x1f"
        "f");
  CHECK_FALSE(f.arm(app, "00000000-0000-4000-8000-000000000002").empty());
  CHECK(app.run("SELECT v FROM t_uuid") == "2");
}

TEST_CASE("a context that is not ours, not here or not now is an error") {
  WallFixture f;
  REQUIRE(apply_clean(f) == "");
  Psql app = f.session("app");
  Psql other = f.session("app");
  const std::string good = f.token(app, "1");
  const auto with = [&](const std::string& token) {
    app.run(std::string(policy::kDisarmSql));
    app.run(arm_sql(token));
    return app.run("SELECT count(*) FROM cust");
  };
  CHECK(with(good) == "100");
  std::size_t tried = 0;
  for (std::size_t i = 0; i < good.size(); ++i) {  // every byte, to a neighbour in its alphabet
    std::string tampered = good;
    tampered[i] = tampered[i] == '1' ? '2' : '1';
    if (tampered == good) continue;
    ++tried;
    const std::string answer = with(tampered);
    if (!is_error(answer, "ZP002")) FAIL("byte " << i << " gave " << answer);
  }
  CHECK(tried > 150);
  for (const std::size_t length : {std::size_t{1}, good.size() / 2, good.size() - 1}) {
    CHECK(is_error(with(good.substr(0, length)), "ZP002"));
  }
  CHECK(is_error(with(good + "0"), "ZP002"));
  CHECK(is_error(with("."), "ZP002"));
  CHECK(is_error(with(f.token(other, "1")), "ZP002"));
  using Fields = policy::ContextFields;
  CHECK(is_error(with(f.token(app, "1", [](Fields& x) { x.expiry_us = 1'000'000; })), "ZP003"));
  CHECK(is_error(with(f.token(app, "1", [](Fields& x) { ++x.database; })), "ZP002"));
  CHECK(is_error(with(f.token(app, "1", [](Fields& x) { ++x.backend_pid; })), "ZP002"));
  CHECK(is_error(with(f.token(app, "1", [](Fields& x) { ++x.backend_start_us; })), "ZP002"));
  CHECK(is_error(with(f.token(app, "1", [](Fields& x) { x.kid = "deadbeef"; })), "ZP002"));
  CHECK(with(f.token(app, "1", [](Fields& x) { x.tenant = TenantId::none(); })) == "0");
  CHECK(app.run("SELECT postern.context()").find("42501") != std::string::npos);
  CHECK(app.run("SELECT * FROM postern.context_key").find("42501") != std::string::npos);
}

TEST_CASE("arming starts from the empty context only") {
  WallFixture f;
  REQUIRE(apply_clean(f) == "");
  Psql app = f.session("app");
  const std::string token = f.token(app, "1");
  CHECK(app.run(arm_sql(token)) == token);
  CHECK(app.run(arm_sql(token)) == "");  // no row: still armed
  CHECK(app.run(std::string(policy::kDisarmSql)) == "");
  CHECK(app.run(arm_sql(token)) == token);
  CHECK(app.run("BEGIN; SET LOCAL postern.ctx = 'junk'; SELECT 1 FROM cust LIMIT 1; ROLLBACK")
            .find("ZP002") != std::string::npos);
  CHECK(app.run("SELECT count(*) FROM cust") == "100");
  CHECK(app.run("DISCARD ALL") == "");
  CHECK(app.run("SELECT count(*) FROM cust") == "0");
}

TEST_CASE("rows cannot be pushed to or taken from another tenant") {
  WallFixture f;
  REQUIRE(apply_clean(f) == "");
  Psql app = f.session("app");
  f.arm(app, "1");
  CHECK(app.run("INSERT INTO cust VALUES (1000, 1, 'mine')") == "");
  CHECK(is_error(app.run("INSERT INTO cust VALUES (1001, 2, 'x')"), "42501"));
  CHECK(is_error(app.run("INSERT INTO t_small VALUES (NULL, 4)"), "42501"));
  CHECK(is_error(app.run("UPDATE cust SET tenant = 2 WHERE id = 6"), "42501"));
  CHECK(app.run("UPDATE cust SET ssn = 'x' WHERE tenant = 2 RETURNING id") == "");
  CHECK(app.run("DELETE FROM cust WHERE id = 150 RETURNING id") == "");
  REQUIRE(f.admin.run("GRANT pg_read_server_files TO app") == "");
  CHECK(is_error(app.run("COPY cust FROM '/dev/null'"), "0A000"));
  CHECK(app.run("WITH x AS MATERIALIZED (SELECT set_config('postern.ctx', '', true)) "
                "SELECT count(*) FROM x, cust") == "0");
  CHECK(f.admin.run("SELECT count(*) FROM cust WHERE tenant = 2 AND ssn LIKE 'T2-%'") == "100");
}

TEST_CASE("partitions, children, owners and views are walled too") {
  WallFixture f;
  REQUIRE(f.admin.run("SELECT count(*) FROM v_cust") == "200");
  REQUIRE(apply_clean(f) == "");
  Psql app = f.session("app");
  Psql owner = f.session("own");
  f.arm(app, "1");
  CHECK(app.run("SELECT string_agg(v, '' ORDER BY v) FROM part") == "ac");
  CHECK(app.run("SELECT v FROM part_a") == "a");
  CHECK(app.run("SELECT v FROM part_a2") == "");
  CHECK(app.run("SELECT v FROM part_d") == "c");
  CHECK(is_error(app.run("INSERT INTO part_a2 VALUES (1, 2, 'z')"), "42501"));
  CHECK(app.run("SELECT string_agg(id::text, ',' ORDER BY id) FROM base") == "1,3");
  CHECK(app.run("SELECT id FROM heir") == "3");
  CHECK(owner.run("SELECT count(*) FROM cust") == "0");
  f.arm(owner, "2");
  CHECK(owner.run("SELECT count(*) FROM cust") == "100");
  CHECK(app.run("SELECT count(*) FROM v_cust") == "100");
  // Before the wall row security bound all but the owner; so it is now, within the tenant.
  CHECK(app.run("SELECT region FROM biz") == "eu");
  f.arm(owner, "1");
  owner.run(std::string(policy::kDisarmSql));
  f.arm(owner, "1");
  CHECK(owner.run("SELECT string_agg(region, ',' ORDER BY region) FROM biz") == "eu,us");
}

TEST_CASE("the policy is one InitPlan and an index condition") {
  WallFixture f;
  REQUIRE(apply_clean(f) == "");
  f.admin.run(
      "INSERT INTO cust SELECT i, 3 + i % 200, 'x' FROM generate_series(1000, 20000) i; "
      "ANALYZE cust");
  Psql app = f.session("app");
  f.arm(app, "1");
  const std::string plan = app.run("EXPLAIN (COSTS OFF) SELECT * FROM cust WHERE id = 7");
  CAPTURE(plan);
  CHECK(plan.find("InitPlan 1") != std::string::npos);
  CHECK(plan.find("Index Scan using cust_pkey") != std::string::npos);
  CHECK(plan.find("Index Cond: ((tenant = $0) AND (id = 7))") != std::string::npos);
  app.run("SET force_parallel_mode = on");
  CHECK(app.run("SELECT count(*) FROM cust") == "100");
}

TEST_CASE("the domain takes containers only") {
  WallFixture f;
  REQUIRE(apply_clean(f) == "");
  CHECK(is_error(f.admin.run("SELECT 'plain'::bytea::postern.pe1"), "23514"));
  const std::string body(2 * 45, '0');
  CHECK(f.admin.run("SELECT length('\\xf5500101" + body.substr(2) + "'::bytea::postern.pe1)") ==
        "48");
  CHECK(is_error(f.admin.run("SELECT '\\xf5500101" + body.substr(4) + "'::bytea::postern.pe1"),
                 "23514"));
  CHECK(is_error(f.admin.run("SELECT '\\xf5500103" + body + "'::bytea::postern.pe1"), "23514"));
  CHECK(f.admin.run("SELECT NULL::postern.pe1 IS NULL") == "t");
}
