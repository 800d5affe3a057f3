// Text built to break parsers: deep and wide families at 10^3 to 10^6 must come back as facts,
// understood or opaque, and never end the process. The families are those known to crash
// libpg_query when it is called without caps.
#include <functional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/sql/fixture_catalog.hpp"

using namespace postern::sql;
using namespace postern::sql::test;

namespace {

std::string repeat(std::string_view part, std::size_t n) {
  std::string out;
  out.reserve(part.size() * n);
  for (std::size_t i = 0; i < n; ++i) out.append(part);
  return out;
}

struct Family {
  const char* name;
  std::function<std::string(std::size_t)> make;
};

std::vector<Family> families() {
  return {
      {"sum", [](std::size_t n) { return "SELECT 1" + repeat("+1", n); }},
      {"concatenation", [](std::size_t n) { return "SELECT 'a'" + repeat("||'a'", n); }},
      {"union", [](std::size_t n) { return "SELECT 1" + repeat(" UNION SELECT 1", n); }},
      {"and", [](std::size_t n) { return "SELECT 1 WHERE true" + repeat(" AND true", n); }},
      {"or of and",
       [](std::size_t n) { return "SELECT 1 WHERE true" + repeat(" OR true AND true", n); }},
      {"brackets", [](std::size_t n) { return "SELECT " + repeat("(", n) + "1" + repeat(")", n); }},
      {"open brackets", [](std::size_t n) { return "SELECT " + repeat("(", n); }},
      {"not", [](std::size_t n) { return "SELECT " + repeat("NOT ", n) + "true"; }},
      {"minus", [](std::size_t n) { return "SELECT " + repeat("- ", n) + "1"; }},
      {"case",
       [](std::size_t n) {
         return "SELECT " + repeat("CASE WHEN true THEN ", n) + "1" + repeat(" END", n);
       }},
      {"case with named ends",
       [](std::size_t n) {
         return "SELECT " + repeat("CASE WHEN a.end THEN ", n) + "1" + repeat(" END", n);
       }},
      {"casts", [](std::size_t n) { return "SELECT 1" + repeat("::int", n); }},
      {"subqueries",
       [](std::size_t n) { return "SELECT " + repeat("(SELECT ", n) + "1" + repeat(")", n); }},
      {"from",
       [](std::size_t n) { return repeat("SELECT * FROM (", n) + "SELECT 1" + repeat(") s", n); }},
      {"joins",
       [](std::size_t n) { return "SELECT 1 FROM users" + repeat(" CROSS JOIN users", n); }},
      {"arrays",
       [](std::size_t n) { return "SELECT " + repeat("ARRAY[", n) + "1" + repeat("]", n); }},
      {"calls",
       [](std::size_t n) { return "SELECT " + repeat("lower(", n) + "'a'" + repeat(")", n); }},
      {"distinct from not",
       [](std::size_t n) { return "SELECT 1" + repeat(" IS DISTINCT FROM NOT 1", n); }},
      {"between not", [](std::size_t n) { return "SELECT 1" + repeat(" BETWEEN 1 AND NOT 1", n); }},
      {"case of nots",
       [](std::size_t n) {
         return "SELECT " + repeat("NOT NOT NOT CASE WHEN true AND ", n) + "true" +
                repeat(" THEN true END", n);
       }},
      {"columns named and", [](std::size_t n) { return "SELECT a.and" + repeat("+a.and", n); }},
      {"collate", [](std::size_t n) { return "SELECT 'a'" + repeat(" COLLATE \"C\"", n); }},
      {"at time zone",
       [](std::size_t n) { return "SELECT now()" + repeat(" AT TIME ZONE 'x'", n); }},
      {"with",
       [](std::size_t n) {
         return repeat("WITH a AS (", n) + "SELECT 1" + repeat(") SELECT 1", n);
       }},
      {"list", [](std::size_t n) { return "SELECT 1" + repeat(",1", n); }},
      {"values", [](std::size_t n) { return "VALUES (1)" + repeat(",(1)", n); }},
      {"in list",
       [](std::size_t n) { return "SELECT 1 FROM users WHERE id IN (1" + repeat(",1", n) + ")"; }},
      {"statements", [](std::size_t n) { return repeat("SELECT 1;", n); }},
      {"comments", [](std::size_t n) { return repeat("/*", n) + repeat("*/", n); }},
      {"open comments", [](std::size_t n) { return repeat("/*", n); }},
      {"indirection", [](std::size_t n) { return "SELECT a" + repeat(".b", n); }},
      {"subscripts", [](std::size_t n) { return "SELECT (a)" + repeat("[1]", n); }},
      {"excepts in brackets",
       [](std::size_t n) { return repeat("(", n) + "SELECT 1" + repeat(" EXCEPT SELECT 1)", n); }},
      {"long operator", [](std::size_t n) { return "SELECT 1 " + repeat("|", n) + " 1"; }},
      {"long word", [](std::size_t n) { return "SELECT " + repeat("a", n); }},
      {"quotes", [](std::size_t n) { return "SELECT " + repeat("'", n); }},
      {"dollars", [](std::size_t n) { return "SELECT " + repeat("$", n); }},
  };
}

}  // namespace

TEST_CASE("no deep or wide text ends the process") {
  for (const Family& family : families()) {
    for (std::size_t n : {1'000U, 1'499U, 1'501U, 10'000U, 100'000U, 1'000'000U}) {
      CAPTURE(family.name);
      CAPTURE(n);
      const std::string text = family.make(n);
      const auto facts = facts_of(text);
      REQUIRE_FALSE(facts->statements.empty());
      if (text.size() > AnalyzerLimits{}.text_bytes) CHECK(facts->statements[0].opaque);
    }
  }
}

TEST_CASE("caps refuse the families that deepen, at one past the limit and not before") {
  const auto opaque = [](const std::string& text) { return facts_of(text)->statements[0].opaque; };
  // The statement itself counts one.
  CHECK_FALSE(opaque("SELECT 1" + repeat("+1", 1'499)));
  REQUIRE(opaque("SELECT 1" + repeat("+1", 1'500)));
  CHECK(opaque("SELECT 1" + repeat("+1", 1'500))->reason == "expression too long");
  CHECK_FALSE(opaque("SELECT " + repeat("(", 500) + "1" + repeat(")", 500)));
  REQUIRE(opaque("SELECT " + repeat("(", 501) + "1" + repeat(")", 501)));
  CHECK(opaque("SELECT " + repeat("(", 501) + "1" + repeat(")", 501))->reason ==
        "nesting too deep");
  CHECK_FALSE(opaque("SELECT 1" + repeat(" UNION SELECT 1", 1'499)));
  CHECK(opaque("SELECT 1" + repeat(" UNION SELECT 1", 1'500)));
  CHECK_FALSE(opaque("SELECT 1 WHERE true" + repeat(" AND true", 20'000)));
  CHECK_FALSE(opaque("SELECT 1" + repeat(",1", 24'999)));
  REQUIRE(opaque("SELECT 1" + repeat(",1", 25'000)));
  CHECK(opaque("SELECT 1" + repeat(",1", 25'000))->reason == "too many tokens");
}

TEST_CASE("text limit in bytes") {
  const std::size_t limit = AnalyzerLimits{}.text_bytes;
  const std::string head = "SELECT '";
  const std::string fits = head + std::string(limit - head.size() - 1, 'x') + "'";
  REQUIRE(fits.size() == limit);
  CHECK_FALSE(facts_of(fits)->statements[0].opaque);
  const auto over = facts_of(fits + " ");
  REQUIRE(over->statements[0].opaque);
  CHECK(over->statements[0].opaque->reason == "statement text is too long");
  CHECK(over->normalized == "...");
}
