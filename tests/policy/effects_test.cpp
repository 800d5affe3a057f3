// Routing class, cache hint, write set, audit class.
#include <algorithm>

#include <doctest/doctest.h>

#include "sql/analyzer.hpp"
#include "tests/policy/policy_fixture.hpp"

using namespace postern;
using namespace postern::test;

namespace {

const policy::StatementDecision& only(const policy::Decision& decision) {
  REQUIRE(decision.statements.size() == 1);
  return decision.statements[0];
}

struct RouteCase {
  const char* text;
  bool replica;
  bool cacheable;
};

}  // namespace

TEST_CASE("only what is proven harmless may leave the primary") {
  for (const RouteCase& c : std::initializer_list<RouteCase>{
           {"SELECT id, total FROM orders WHERE id = 7", true, true},
           {"SELECT email FROM users WHERE email = 'a'", true, true},
           {"SELECT lower(name), count(*) FROM users GROUP BY 1", true, true},
           {"SELECT to_char(total, '999') FROM orders", true, true},
           {"SELECT id FROM v_orders", true, true},
           {"SELECT score(id) FROM orders", true, true},
           {"VALUES (1)", true, true},
           {"SELECT now(), id FROM orders", true, false},
           {"SELECT id FROM v_plans", true, false},
           {"SELECT risk(id) FROM orders", true, false},
           {"SELECT id FROM events WHERE at > 'Yesterday'", true, false},
           {"SELECT pg_get_expr(name, 0) FROM plans", true, false},
           {"SELECT touch(id) FROM orders", false, false},
           {"SELECT random() FROM orders", false, false},
           {"SELECT nextval('s')", false, false},
           {"SELECT id FROM orders FOR UPDATE", false, false},
           {"SELECT id FROM scratch", false, false},
           {"SELECT oid FROM pg_class", false, false},
           {"SELECT current_user", false, false},
           {"SELECT current_setting('app.x')", false, false},
           {"SELECT set_config('timezone', 'UTC', false)", false, false},
           {"WITH d AS (DELETE FROM plans RETURNING *) SELECT * FROM d", false, false},
           {"INSERT INTO plans VALUES (1, 'x') RETURNING id", false, false},
           {"COPY plans TO STDOUT", false, false},
           {"SHOW timezone", false, false},
           {"EXPLAIN SELECT 1", false, false},
           {"SELECT nonsense(", false, false}}) {
    CAPTURE(c.text);
    const auto decision = decide_sql(c.text);
    const auto& statement = only(decision);
    CHECK((statement.route == policy::RouteClass::kReplicaEligible) == c.replica);
    CHECK(statement.cache.cacheable == c.cacheable);
    CHECK(statement.cache.tables.empty() == (!c.cacheable || std::string(c.text)[0] == 'V'));
  }
  const auto two = decide_sql("SELECT id FROM orders; SELECT id FROM plans");
  REQUIRE(two.statements.size() == 2);
  for (const auto& statement : two.statements) {
    CHECK(statement.route == policy::RouteClass::kPrimary);
    CHECK_FALSE(statement.cache.cacheable);
  }
}

namespace {

constexpr Oid kMine = 1;
constexpr Oid kMembership = 2;
constexpr Oid kPeople = 3;

sql::Routine routine(Oid oid, const char* schema, const char* name, char volatility) {
  sql::Routine out;
  out.oid = oid;
  out.schema = schema;
  out.name = name;
  out.volatility = volatility;
  out.parallel = 's';
  return out;
}

sql::Relation walled(Oid oid, const char* name, sql::RowPolicy policy) {
  sql::Relation relation;
  relation.oid = oid;
  relation.schema = "public";
  relation.name = name;
  relation.row_security = true;
  relation.columns.push_back({"x", 1, 23, -1, false, false, false});
  relation.policies.push_back({"postern_tenant", false, '*', "anything()", "", {}, {4711}});
  relation.policies.push_back(std::move(policy));
  return relation;
}

// SELECT of a table that has this policy beside the wall's; the policy may read `membership`, whose
// own policy reads `people`.
policy::StatementDecision under_policy(sql::RowPolicy policy) {
  sql::CatalogBuilder builder;
  builder.add(walled(kMine, "mine", std::move(policy)));
  builder.add(
      walled(kMembership, "membership",
             {"postern_rule_m", false, '*', "(EXISTS ...)", "", {kMembership, kPeople}, {65}}));
  builder.add(walled(kPeople, "people", {"all", true, '*', "true", ""}));
  builder.add(routine(65, "pg_catalog", "int4eq", 'i'));
  builder.add(routine(1299, "pg_catalog", "now", 's'));
  builder.add(routine(1598, "pg_catalog", "random", 'v'));
  builder.add(routine(2077, "pg_catalog", "current_setting", 's'));
  builder.add(routine(20501, "public", "risk", 's'));
  auto moves = routine(20502, "public", "moves", 'i');
  moves.moves_path = true;
  builder.add(moves);
  const auto snapshot = builder.freeze(1);
  const auto ruleset = *policy::compile_ruleset({}, snapshot);
  const char* text = "SELECT x FROM mine";
  const auto facts = sql::analyze(text, {snapshot, {"public"}}, {});
  return only(policy::decide(*facts, text, *ruleset, kTenantApp));
}

}  // namespace

TEST_CASE("what a policy calls decides where a SELECT may be answered") {
  struct Case {
    std::vector<Oid> calls;
    bool routed;
    bool cached;
  };
  for (const char* name : {"postern_rule_members", "somebody_elses"}) {
    for (const Case& c : std::vector<Case>{{{}, true, true},
                                           {{65}, true, true},
                                           {{65, 1299}, true, false},
                                           {{20501}, true, false},
                                           {{1598}, false, false},
                                           {{2077}, false, false},
                                           {{20502}, false, false},
                                           {{4711}, false, false}}) {
      CAPTURE(name);
      CAPTURE(c.calls.empty() ? 0 : c.calls.back());
      const auto found = under_policy({name, false, '*', "(f(x))", "", {}, c.calls});
      CHECK((found.route == policy::RouteClass::kReplicaEligible) == c.routed);
      CHECK(found.cache.cacheable == c.cached);
    }
  }
  // One for other commands hides no row of a SELECT.
  const auto update = under_policy({"postern_rule_w", false, 'w', "(f(x))", "", {}, {1598}});
  CHECK(update.cache.cacheable);
}

TEST_CASE("what a policy reads is what the answer depends on") {
  const auto tables = [](std::vector<Oid> reads) {
    auto found = under_policy({"postern_rule_m", false, 'r', "(EXISTS ...)", "", reads, {65}});
    CHECK(found.cache.cacheable);
    std::sort(found.cache.tables.begin(), found.cache.tables.end());
    return found.cache.tables;
  };
  CHECK(tables({}) == std::vector<Oid>{kMine});
  CHECK(tables({kMine, kMembership}) == std::vector<Oid>{kMine, kMembership, kPeople});
  const auto unknown = under_policy({"postern_rule_m", false, '*', "(EXISTS ...)", "", {4711}, {}});
  CHECK(unknown.route == policy::RouteClass::kPrimary);
}

TEST_CASE("the tables an answer depends on include partitions and what views read") {
  const auto tables = [](const char* text) {
    auto found = only(decide_sql(text)).cache.tables;
    std::sort(found.begin(), found.end());
    return found;
  };
  CHECK(tables("SELECT id FROM events") == std::vector<Oid>{kEvents, kEvents1, kEvents2});
  CHECK(tables("SELECT id FROM events_1") == std::vector<Oid>{kEvents1});
  CHECK(tables("SELECT v.id FROM v_orders v, plans") == std::vector<Oid>{kOrders, kPlans});
}

TEST_CASE("the write set follows partitions and cascades") {
  const auto written = [](const char* text) {
    const auto decision = decide_sql(text, *without_columns());
    CHECK_FALSE(only(decision).unknown_write_set);
    CHECK(only(decision).writes);
    return only(decision).written_tables;
  };
  CHECK(written("INSERT INTO plans VALUES (1, 'x')") == std::vector<Oid>{kPlans});
  CHECK(written("INSERT INTO users (id) VALUES (1)") == std::vector<Oid>{kUsers});
  CHECK(written("UPDATE users SET name = 'x'") == std::vector<Oid>{kUsers});
  // users <- orders ON DELETE CASCADE; orders <- items ON DELETE SET NULL
  CHECK(written("DELETE FROM users") == std::vector<Oid>{kUsers, kOrders, kItems});
  CHECK(written("UPDATE orders SET id = 2") == std::vector<Oid>{kOrders, kItems});
  CHECK(written("DELETE FROM events_1") == std::vector<Oid>{kEvents, kEvents1});
  CHECK(written("INSERT INTO events (id) VALUES (1)") ==
        std::vector<Oid>{kEvents, kEvents1, kEvents2});
  CHECK(written("WITH d AS (DELETE FROM users RETURNING id) UPDATE plans SET id = 1") ==
        std::vector<Oid>{kUsers, kOrders, kPlans, kItems});
}

TEST_CASE("what may write anything") {
  for (const char* text :
       {"INSERT INTO audited VALUES (1)", "SELECT touch(1)", "CALL touch(1)", "EXECUTE p",
        "DO $$ BEGIN END $$", "CREATE TABLE x (a int)", "TRUNCATE plans", "COMMIT PREPARED 'x'",
        "REFRESH MATERIALIZED VIEW mv_orders", "SELECT 1 FROM"}) {
    CAPTURE(text);
    CHECK(only(decide_sql(text, *unprotected())).unknown_write_set);
    CHECK(only(decide_sql(text, *unprotected())).writes);
  }
  for (const char* text : {"SELECT 1", "SELECT random(), nextval('s')", "BEGIN", "SET work_mem = 1",
                           "SELECT risk(1)", "EXPLAIN DELETE FROM plans", "COPY plans TO STDOUT"}) {
    CAPTURE(text);
    CHECK_FALSE(only(decide_sql(text, *unprotected())).unknown_write_set);
    CHECK_FALSE(only(decide_sql(text, *unprotected())).writes);
  }
  CHECK(only(decide_sql("EXPLAIN ANALYZE DELETE FROM plans", *unprotected())).writes);
}

TEST_CASE("audit class, rules and what touches protected columns") {
  using policy::AuditClass;
  const auto audit = [](const char* text) {
    return only(decide_sql(text, *without_columns())).audit;
  };
  CHECK(audit("SELECT 1") == AuditClass::kRead);
  CHECK(audit("DELETE FROM plans") == AuditClass::kWrite);
  CHECK(audit("DROP TABLE plans") == AuditClass::kDdl);
  CHECK(audit("BEGIN") == AuditClass::kSession);
  CHECK(only(decide_sql("SELECT 1", {policy::Profile::kAdmin, false, true})).audit ==
        AuditClass::kAdmin);
  CHECK(only(decide_sql("SELECT name FROM users")).touches_pii);
  CHECK_FALSE(only(decide_sql("SELECT note FROM orders")).touches_pii);
  const auto rules_of = [](const char* text) { return only(decide_sql(text)).rules; };
  CHECK(rules_of("SELECT name FROM users") == std::vector<std::string>{"gate", "encrypt", "wall"});
  CHECK(rules_of("SELECT name FROM plans") == std::vector<std::string>{"gate"});
}
