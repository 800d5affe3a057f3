// Facts moved onto a text of the same shape are those of a fresh analysis.
#include "sql/shape.hpp"

#include <filesystem>
#include <fstream>
#include <sstream>

#include <doctest/doctest.h>

#include "tests/sql/fixture_catalog.hpp"
#include "tests/support/fact_dump.hpp"
#include "tests/support/mutate.hpp"

using namespace postern;
using namespace postern::sql;
using namespace postern::sql::test;

namespace {

constexpr std::size_t kTokens = 50'000;

std::optional<FactsTemplate> template_of(std::string_view text) {
  const auto shape = shape_of(text, kTokens);
  if (!shape) return std::nullopt;
  return FactsTemplate::make(text, *shape, facts_of(text));
}

bool same_shape(std::string_view a, std::string_view b) {
  const auto left = shape_of(a, kTokens);
  const auto right = shape_of(b, kTokens);
  REQUIRE(left);
  REQUIRE(right);
  return left->key == right->key;
}

/// The facts of `text` by way of `first`; nullptr where they cannot be had so.
std::shared_ptr<const Facts> by_way_of(std::string_view first, std::string_view text) {
  if (!same_shape(first, text)) return nullptr;
  const auto made = template_of(first);
  return made ? made->facts_for(text, *shape_of(text, kTokens)) : nullptr;
}

std::vector<std::string> golden_texts() {
  std::vector<std::string> texts;
  for (const auto& file :
       std::filesystem::directory_iterator(POSTERN_SOURCE_DIR "/tests/sql/data")) {
    std::ifstream in(file.path());
    bool reading = false;
    for (std::string line; std::getline(in, line);) {
      if (line.starts_with("## "))
        texts.push_back(line.substr(3)), reading = true;
      else if (reading && line.starts_with("   "))
        texts.back().append("\n").append(line);
      else
        reading = false;
    }
  }
  return texts;
}

}  // namespace

TEST_CASE("values, blanks and comments leave the shape alone; everything else does not") {
  CHECK(same_shape("SELECT 1 FROM users", "SELECT  22\nFROM /* x */ users"));
  CHECK(same_shape("SELECT 'a', 1.5, b'1', $$x$$", "SELECT '', 2e9, b'', $t$ y $t$"));
  CHECK_FALSE(same_shape("SELECT 1 FROM users", "SELECT 1 FROM Users"));
  CHECK_FALSE(same_shape("SELECT 1", "SELECT '1'"));
  CHECK_FALSE(same_shape("SELECT 1", "SELECT 1.0"));
  CHECK_FALSE(same_shape("SELECT 2147483647", "SELECT 2147483648"));
  CHECK_FALSE(same_shape("SELECT 9223372036854775807", "SELECT 9223372036854775808"));
  CHECK_FALSE(same_shape("SELECT a-1", "SELECT a -1"));
  CHECK_FALSE(same_shape("SELECT $1", "SELECT $2"));
  CHECK_FALSE(same_shape("SELECT E'a'", "SELECT E'b'"));
  CHECK_FALSE(same_shape("SELECT 'a' 'b'", "SELECT 'a'\n'b'"));
  CHECK_FALSE(same_shape("SELECT b'1'", "SELECT '1'"));
  CHECK_FALSE(same_shape("SELECT U&'1'", "SELECT '1'"));
  CHECK_FALSE(same_shape("SELECT 1", " SELECT 1"));
  CHECK_FALSE(shape_of("SELECT 'a", kTokens));
  CHECK_FALSE(shape_of("", kTokens));
  CHECK_FALSE(shape_of("-- nothing", kTokens));
  CHECK_FALSE(shape_of("SELECT '\xff'", kTokens));
  CHECK_FALSE(shape_of(std::string_view("SELECT 1\0", 9), kTokens));
  CHECK(shape_of("SELECT 1", 2));
  CHECK_FALSE(shape_of("SELECT 1", 1));
}

TEST_CASE("facts move with the text") {
  const std::string first = "SELECT email FROM users WHERE id = 17 AND email = 'a'";
  const std::string second =
      "SELECT email FROM users /*trace*/ WHERE id = 1234567 AND email='b''c'";
  CHECK(by_way_of(first, second) == nullptr);  // the blanks around = differ
  const std::string third =
      "SELECT email FROM users /*trace*/ WHERE id = 1234567 AND email = 'b''c'";
  const auto facts = by_way_of(first, third);
  REQUIRE(facts != nullptr);
  CHECK(dump(*facts) == dump(*facts_of(third)));
  REQUIRE(facts->statements[0].literals.size() == 2);
  const Span span = facts->statements[0].literals[1].span;
  CHECK(third.substr(span.begin, span.end - span.begin) == "'b''c'");
}

TEST_CASE("a value that means more than itself must be the same") {
  const auto reused = [](const char* a, const char* b) { return by_way_of(a, b) != nullptr; };
  CHECK(reused("SELECT 1, email FROM users ORDER BY 2", "SELECT 5, email FROM users ORDER BY 2"));
  CHECK_FALSE(
      reused("SELECT 1, email FROM users ORDER BY 2", "SELECT 1, email FROM users ORDER BY 1"));
  CHECK_FALSE(reused("SELECT id, email FROM users GROUP BY 1, 2",
                     "SELECT id, email FROM users GROUP BY 1, 1"));
  CHECK_FALSE(
      reused("SELECT set_config('a.b', 'x', true), 1", "SELECT set_config('role', 'x', true), 1"));
  CHECK_FALSE(
      reused("SELECT set_config('a.b', 'x', true), 1", "SELECT set_config('a.b', 'y', true), 1"));
  CHECK(reused("SELECT set_config('a.b', 'x', true), 1", "SELECT set_config('a.b', 'x', true), 2"));
  CHECK_FALSE(reused("SELECT 'a'::regclass, 1", "SELECT 'b'::regclass, 1"));
  CHECK_FALSE(reused("SELECT 'a'::name, 1", "SELECT 'b'::name, 1"));
  CHECK_FALSE(reused("SELECT 'a'::varchar(3), 1", "SELECT 'a'::varchar(4), 1"));
  CHECK_FALSE(reused("SELECT CAST(1.5 AS float(3))", "SELECT CAST(1.5 AS float(40))"));
  CHECK_FALSE(reused("SELECT U&'!0041' UESCAPE '!', 1", "SELECT U&'!0041' UESCAPE '?', 1"));
  CHECK_FALSE(reused("SELECT nextval('a'), 1", "SELECT nextval('b'), 1"));
  CHECK(reused("SELECT id FROM users LIMIT 10 OFFSET 20", "SELECT id FROM users LIMIT 1 OFFSET 0"));
}

TEST_CASE("only understood queries and changes of rows are reused") {
  for (const char* text :
       {"SET x = 'a'", "SET search_path = 'a'", "PREPARE p AS SELECT 1", "EXECUTE p(1)", "DO 'x'",
        "DECLARE c CURSOR FOR SELECT 1", "EXPLAIN SELECT 1", "CREATE TABLE t AS SELECT 1",
        "COPY (SELECT 1) TO STDOUT", "SELECT 1 FROM nosuch", "SELECT 1; SET x = 1", "NOTIFY a, 'x'",
        "SELECT FROM users"}) {
    CAPTURE(text);
    CHECK_FALSE(template_of(text));
  }
  for (const char* text :
       {"SELECT 1", "BEGIN; DELETE FROM users WHERE id = 1; COMMIT", "SELECT FROM users -- trace",
        "INSERT INTO users (id) VALUES (1), (2)"}) {
    CAPTURE(text);
    CHECK(template_of(text));
  }
}

TEST_CASE("moved facts equal fresh ones over every text of the golden files") {
  std::size_t moved = 0;
  const std::vector<std::string> texts = golden_texts();
  CHECK(texts.size() > 100);
  for (const std::string& text : texts) {
    const auto shape = shape_of(text, kTokens);
    const auto made = template_of(text);
    if (!made) continue;
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
      const std::string other = mutate(text, shape->tokens, seed);
      CAPTURE(text);
      CAPTURE(other);
      const auto other_shape = shape_of(other, kTokens);
      REQUIRE(other_shape);
      if (other_shape->key != shape->key) continue;  // a blank before the first token, and such
      const auto facts = made->facts_for(other, *other_shape);
      if (facts == nullptr) continue;
      REQUIRE(dump(*facts) == dump(*facts_of(other)));
      ++moved;
    }
  }
  MESSAGE(moved, " of ", texts.size() * 5, " texts got moved facts");
  CHECK(moved > texts.size());
}
