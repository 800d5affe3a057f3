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

TEST_CASE("policies that are not Postern's keep a relation on the primary") {
  sql::CatalogBuilder builder;
  for (const auto& [oid, text] : {std::pair<Oid, const char*>{1, "(f(x) = 1)"}, {2, "true"}}) {
    sql::Relation relation;
    relation.oid = oid;
    relation.schema = "public";
    relation.name = oid == 1 ? "guarded" : "open";
    relation.row_security = true;
    relation.columns.push_back({"x", 1, 23, -1, false, false, false});
    relation.policies.push_back({"postern_tenant", false, '*', "anything()", ""});
    relation.policies.push_back({"business", true, '*', text, ""});
    builder.add(relation);
  }
  const auto snapshot = builder.freeze(1);
  const auto ruleset = *policy::compile_ruleset({}, snapshot);
  const auto route = [&](const char* text) {
    const auto facts = sql::analyze(text, {snapshot, {"public"}}, {});
    return only(policy::decide(*facts, text, *ruleset, kTenantApp)).route;
  };
  CHECK(route("SELECT x FROM guarded") == policy::RouteClass::kPrimary);
  CHECK(route("SELECT x FROM open") == policy::RouteClass::kReplicaEligible);
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
