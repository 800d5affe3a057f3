// Numbers of whole tables: shown as of a table never analysed, or the statement is refused.
#include <doctest/doctest.h>

#include "policy/decision.hpp"
#include "tests/policy/policy_fixture.hpp"

using namespace postern;
using namespace postern::test;
using policy::OutputAction;
using policy::Principal;
using policy::Profile;

namespace {

constexpr const char* kRefused = "PST-1524 gate.numbers";

std::vector<std::pair<int, OutputAction>> shaped(const char* text,
                                                 const Principal& principal = kTenantApp) {
  const auto decision = decide_sql(text, *without_columns(), principal);
  CAPTURE(std::string(text));
  CHECK(refusal_of(decision) == "");
  std::vector<std::pair<int, OutputAction>> found;
  for (const auto& op : decision.statements.at(0).outputs) found.emplace_back(op.output, op.action);
  return found;
}

using Shape = std::vector<std::pair<int, OutputAction>>;
const Shape kSecond = {{1, OutputAction::kNoRows}};

}  // namespace

TEST_CASE("numbers that are only passed on are hidden") {
  const Shape star = {
      {4, OutputAction::kNoRows}, {5, OutputAction::kNoPages}, {6, OutputAction::kNoPages}};
  for (const char* text : {"SELECT * FROM pg_class", "TABLE pg_catalog.pg_class",
                           "SELECT c.* FROM pg_class c ORDER BY name LIMIT 3",
                           "SELECT * FROM (SELECT * FROM pg_class) x",
                           "WITH x AS (SELECT * FROM pg_class) SELECT * FROM x",
                           "SELECT * FROM pg_class UNION ALL SELECT * FROM pg_class"}) {
    CHECK(shaped(text) == star);
  }
  for (const char* text :
       {"SELECT name, reltuples FROM pg_class WHERE oid = 1",
        "SELECT name, c.reltuples AS n FROM pg_class c",
        "SELECT x.name, x.n FROM (SELECT name, reltuples AS n FROM pg_class) x ORDER BY x.name",
        "SELECT id, (SELECT reltuples FROM pg_class WHERE pg_class.oid = 1) FROM orders",
        "SELECT p.id, x.n FROM plans p, (SELECT reltuples FROM pg_class) AS x(n)",
        "SELECT p.id, x.n FROM plans p, LATERAL (SELECT reltuples FROM pg_class) AS x(n)"}) {
    CHECK(shaped(text) == kSecond);
  }
  CHECK(shaped("SELECT relallvisible, relpages FROM pg_class") ==
        Shape{{0, OutputAction::kNoPages}, {1, OutputAction::kNoPages}});
  CHECK(shaped("SELECT name FROM pg_class").empty());
  CHECK(shaped("SELECT name, reltuples FROM pg_class", {Profile::kAnalyst, true, true}) == kSecond);
  CHECK(shaped("SELECT name, reltuples FROM pg_class", kTenantless) == kSecond);
  const auto decision = decide_sql("SELECT name FROM pg_class", *without_columns());
  CHECK(decision.statements[0].hides_numbers);
  CHECK_FALSE(decide_sql("SELECT 1", *without_columns()).statements[0].hides_numbers);
}

TEST_CASE("JDBC's getIndexInfo is let through") {
  const auto found = shaped(
      "SELECT tmp.name, tmp.CARDINALITY, tmp.PAGES FROM (SELECT ct.name AS name, ci.reltuples AS "
      "CARDINALITY, ci.relpages AS PAGES, ci.oid AS CI_OID FROM pg_catalog.pg_class ct JOIN "
      "pg_catalog.pg_class ci ON ci.oid = ct.oid) AS tmp ORDER BY tmp.name, tmp.CI_OID");
  CHECK(found == Shape{{1, OutputAction::kNoRows}, {2, OutputAction::kNoPages}});
}

TEST_CASE("numbers that the server would compute with are refused") {
  for (const char* text :
       {"SELECT name FROM pg_class WHERE reltuples > 10",
        "SELECT name FROM pg_class ORDER BY relpages",
        "SELECT name, relpages FROM pg_class ORDER BY 2",
        "SELECT DISTINCT reltuples FROM pg_class",
        "SELECT reltuples FROM pg_class UNION SELECT reltuples FROM pg_class",
        "SELECT reltuples FROM pg_class UNION ALL SELECT 1",
        "SELECT reltuples::bigint FROM pg_class",
        "SELECT reltuples + 0 FROM pg_class",
        "SELECT max(reltuples) FROM pg_class",
        "SELECT count(*) FROM pg_class GROUP BY reltuples",
        "SELECT count(*) FROM pg_class HAVING max(relpages) > 3",
        "SELECT CASE WHEN reltuples > 5 THEN 1 END FROM pg_class",
        "SELECT coalesce(reltuples, 0) FROM pg_class",
        "SELECT ARRAY(SELECT reltuples FROM pg_class)",
        "SELECT ARRAY[reltuples] FROM pg_class",
        "SELECT ROW(reltuples) FROM pg_class",
        "SELECT c FROM pg_class c",
        "SELECT lower(c) FROM pg_class c",

        "SELECT (c).reltuples FROM pg_class c",

        "SELECT a.name FROM pg_class a NATURAL JOIN pg_class b",
        "SELECT a.name FROM pg_class a JOIN pg_class b USING (reltuples)",
        "SELECT 1 FROM plans p JOIN pg_class c ON p.id = c.relpages",
        "SELECT 1 FROM plans WHERE id IN (SELECT relpages FROM pg_class)",
        "SELECT 1 WHERE 5 < (SELECT reltuples FROM pg_class)",
        "SELECT 1 LIMIT (SELECT reltuples FROM pg_class)",
        "WITH x AS (SELECT reltuples AS n FROM pg_class) SELECT 1 FROM x WHERE n > 1",
        "INSERT INTO orders (id) SELECT relpages FROM pg_class",
        "UPDATE orders SET total = (SELECT relpages FROM pg_class)",
        "COPY pg_class TO STDOUT",
        "COPY (SELECT reltuples FROM pg_class) TO STDOUT",
        "DECLARE c CURSOR FOR SELECT * FROM pg_class",
        "PREPARE p AS SELECT reltuples FROM pg_class",
        "EXPLAIN SELECT reltuples FROM pg_class"}) {
    CAPTURE(std::string(text));
    CHECK(refusal_of(decide_sql(text, *without_columns())) == kRefused);
  }
}

TEST_CASE("what is not understood of a row of pg_class is refused as such") {
  for (const char* text :
       {"SELECT reltuples(c) FROM pg_class c", "SELECT lower((c).*) FROM pg_class c"}) {
    CHECK(refusal_of(decide_sql(text, *without_columns())) == "PST-1504 gate.opaque");
  }
}

TEST_CASE("others see the numbers, and observing changes nothing") {
  const char* text = "SELECT name, reltuples FROM pg_class";
  for (const Profile profile : {Profile::kMigrator, Profile::kBackup, Profile::kAdmin}) {
    CHECK(shaped(text, {profile, false, true}).empty());
  }
  CHECK(decide_sql(text, *unprotected()).statements[0].outputs.empty());
  auto changed = options();
  changed.mode = policy::Mode::kObserve;
  const auto observe = *policy::compile_ruleset(changed, catalog());
  CHECK(decide_sql(text, *observe).statements[0].outputs.empty());
  const auto computed = decide_sql("SELECT reltuples + 1 FROM pg_class", *observe);
  CHECK(refusal_of(computed) == kRefused);
  CHECK_FALSE(computed.refused());
}
