// Parser threads, bad bytes, catalog snapshot.
#include <atomic>
#include <chrono>
#include <future>

#include <doctest/doctest.h>

#include "base/codes/sql.hpp"
#include "sql/parser_pool.hpp"
#include "tests/sql/fixture_catalog.hpp"

using namespace postern;
using namespace postern::sql;
using namespace postern::sql::test;

TEST_CASE("bad bytes give opaque facts with their position") {
  const auto opaque = [](std::string_view text) { return facts_of(text)->statements[0].opaque; };
  const auto nul = opaque(std::string_view("SELECT 1\0; SELECT 2", 19));
  REQUIRE(nul);
  CHECK(nul->reason == "NUL byte in statement text");
  CHECK(nul->position == 8);
  for (const char* bytes : {"SELECT '\xff'", "SELECT '\x95\x5c'", "SELECT '\xc0\xaf'"}) {
    REQUIRE(opaque(bytes));
    CHECK(opaque(bytes)->reason == "statement text is not valid UTF-8");
  }
  REQUIRE(opaque("SELECT 1, 'abc"));
  CHECK(opaque("SELECT 1, 'abc")->position == 10);
  REQUIRE(opaque("SELECT 1 /* x"));
  CHECK(opaque("SELECT 1 /* x")->position == 9);
  REQUIRE(opaque("SELECT 'é' FROM FROM"));
  CHECK(opaque("SELECT 'é' FROM FROM")->position == 17);
  CHECK(opaque("SELECT 'é' FROM FROM")->reason == "syntax error");
}

TEST_CASE("an opaque text has one statement over the whole text and unknown session effects") {
  const auto facts = facts_of("SELECT 1; SELEC 2");
  REQUIRE(facts->statements.size() == 1);
  CHECK(facts->statements[0].span == Span{0, 17});
  CHECK(has(facts->statements[0].session, SessionEffect::kUnknown));
  CHECK(facts->statements[0].kind == StatementKind::kOther);
}

TEST_CASE("syntax errors never quote the text") {
  const auto facts = facts_of("SELECT 1 'SECRET' FROM 'SECRET'");
  REQUIRE(facts->statements[0].opaque);
  CHECK(facts->statements[0].opaque->reason.find("SECRET") == std::string::npos);
}

TEST_CASE("statement spans slice the text") {
  const std::string text = " /* x */ SELECT 1 ; -- y\n ;UPDATE users SET id = 1  ; COMMIT ";
  const auto facts = facts_of(text);
  REQUIRE(facts->statements.size() == 3);
  const auto slice = [&](std::size_t i) {
    const Span span = facts->statements[i].span;
    return text.substr(span.begin, span.end - span.begin);
  };
  CHECK(slice(0) == "SELECT 1");
  CHECK(slice(1) == "UPDATE users SET id = 1");
  CHECK(slice(2) == "COMMIT");
}

TEST_CASE("without a catalog only statements without names are understood") {
  const AnalysisContext none;
  CHECK(analyze("SELECT 1", none, {})->statements[0].understood());
  CHECK(analyze("BEGIN", none, {})->statements[0].understood());
  CHECK_FALSE(analyze("SELECT 1 FROM users", none, {})->statements[0].understood());
  CHECK_FALSE(analyze("SELECT f(1)", none, {})->statements[0].understood());
}

TEST_CASE("the same text under another search path means another table") {
  AnalysisContext context = fixture_context();
  context.search_path = {"secret", "app"};
  const auto facts = analyze("SELECT * FROM users", context, {});
  CHECK(facts->statements[0].relations[0].oid == kSecretUsers);
  context.search_path = {};
  CHECK_FALSE(analyze("SELECT * FROM users", context, {})->statements[0].understood());
  CHECK(analyze("SELECT oid FROM pg_class", context, {})->statements[0].understood());
}

TEST_CASE("pool: runs every job, refuses past its queue, finishes what waits") {
  std::atomic<int> done{0};
  std::promise<void> gate;
  auto open = gate.get_future().share();
  {
    ParserPool pool;
    REQUIRE(pool.start({1, 1024 * 1024, 2}).has_value());
    std::promise<void> entered;
    REQUIRE(pool.submit([&] {
                  entered.set_value();
                  open.wait();
                  ++done;
                })
                .has_value());
    entered.get_future().wait();
    CHECK(pool.submit([&] { ++done; }).has_value());
    CHECK(pool.submit([&] { ++done; }).has_value());
    CHECK(pool.waiting() == 2);
    const Status refused = pool.submit([&] { ++done; });
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == pst::kAnalysisBusy);
    gate.set_value();
  }
  CHECK(done == 3);
}

TEST_CASE("pool: an impossible stack is an error") {
  ParserPool pool;
  const Status started = pool.start({1, 1, 2});
  REQUIRE_FALSE(started.has_value());
  CHECK(started.error().code == pst::kAnalysisUnavailable);
}

TEST_CASE("parallel analysis gives the same facts") {
  ParserPool pool;
  REQUIRE(pool.start({4, 16 * 1024 * 1024, 1000}).has_value());
  const std::string text = "SELECT u.email FROM users u JOIN orders o USING (id) WHERE u.id = $1";
  const std::string expected = describe(text, facts_of(text)->statements[0]);
  std::vector<std::future<std::string>> results;
  for (int i = 0; i < 200; ++i) {
    auto promise = std::make_shared<std::promise<std::string>>();
    results.push_back(promise->get_future());
    REQUIRE(pool.submit([promise, &text] {
                  promise->set_value(
                      describe(text, analyze(text, fixture_context(), {})->statements[0]));
                })
                .has_value());
  }
  for (auto& result : results) CHECK(result.get() == expected);
}

TEST_CASE("catalog: links, lookups, overloads") {
  const auto catalog = fixture_catalog();
  CHECK(catalog->epoch() == 7);
  CHECK(catalog->database_oid() == 16384);
  CHECK(catalog->relation(kEvents)->children == std::vector<Oid>{kEvents2024});
  CHECK(catalog->relation("app", "users")->oid == kUsers);
  CHECK(catalog->relation("app", "Users") == nullptr);
  const std::vector<std::string> path = {"app"};
  CHECK(catalog->resolve("pg_class", path)->oid == kPgClass);
  CHECK(catalog->resolve("plans", path) == nullptr);
  CHECK(catalog->routines({}, "risk_score", path).size() == 2);
  CHECK(catalog->routines("public", "risk_score", path).empty());
  CHECK(catalog->relation(kUsers)->column("email")->attnum == 3);
  CHECK(catalog->relation(kUsers)->column(std::int16_t{3})->name == "email");
  CHECK(catalog->relation(kUsers)->column("nosuch") == nullptr);
}

TEST_CASE("catalog: a schema listed before pg_catalog wins") {
  CatalogBuilder builder;
  Relation mine, system;
  mine.oid = 1, mine.schema = "app", mine.name = "t";
  system.oid = 2, system.schema = "pg_catalog", system.name = "t";
  const auto catalog = builder.add(mine).add(system).freeze(1);
  CHECK(catalog->resolve("t", std::vector<std::string>{"app"})->oid == 2);
  CHECK(catalog->resolve("t", std::vector<std::string>{"app", "pg_catalog"})->oid == 1);
}
