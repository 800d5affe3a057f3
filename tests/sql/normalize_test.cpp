#include "sql/normalize.hpp"

#include <doctest/doctest.h>

#include "tests/sql/fixture_catalog.hpp"

using namespace postern::sql;
using namespace postern::sql::test;

namespace {

NormalizedText normalized(std::string_view sql) {
  return normalize(sql, tokenize(sql, 10'000));
}

}  // namespace

TEST_CASE("no literal survives in normalised text") {
  for (const char* sql :
       {"ALTER ROLE x PASSWORD 'SECRET'", "SELECT $$SECRET$$, E'SECRET', U&'SECRET', N'SECRET'",
        "SET x.y = 'SECRET'", "COPY t FROM 'SECRET'", "DO $x$ SECRET $x$", "SELECT 1 -- SECRET",
        "SELECT /* SECRET */ 1", "SELECT 'SECRET", "SELECT 1 /* SECRET", "SELECT $q$SECRET",
        "SELECT 'a'\n'SECRET'",
        "CREATE USER MAPPING FOR x SERVER s OPTIONS "
        "(password 'SECRET')",
        "NOTIFY c, 'SECRET'", "SELECT 1 \x01 'SECRET'"}) {
    CAPTURE(sql);
    CHECK(facts_of(sql)->normalized.find("SECRET") == std::string::npos);
  }
}

TEST_CASE("normalised text") {
  CHECK(normalized("SELECT  a,'x' FROM t\nWHERE b = 5 AND c=$2").text ==
        "SELECT a,$3 FROM t WHERE b = $4 AND c=$2");
  CHECK(normalized("select'x'").text == "select $1");
  CHECK(normalized("SELECT 1.5, -2, B'1', NULL, true").text == "SELECT $1, -$2, $3, NULL, true");
  CHECK(normalized("").text.empty());
  CHECK(normalized("SELECT 'a").text == "SELECT ...");
}

TEST_CASE("fingerprints") {
  const auto same = [](std::string_view a, std::string_view b) {
    return normalized(a).fingerprint == normalized(b).fingerprint;
  };
  CHECK(normalized("SELECT 1").fingerprint.size() == 16);
  CHECK(same("SELECT 1", "select  /* c */ 'x'"));
  CHECK(same("SELECT 1 WHERE a IN (1,2,3)", "SELECT 2 WHERE a IN ($1)"));
  CHECK(same("INSERT INTO t VALUES (1,'a'),(2,'b')", "INSERT INTO t VALUES ($1,$2)"));
  CHECK_FALSE(same("SELECT a", "SELECT b"));
  CHECK_FALSE(same("SELECT a", "SELECT \"A\""));
  CHECK_FALSE(same("SELECT a + 1", "SELECT a - 1"));
  CHECK_FALSE(same("SELECT 1", "SELECT 1;"));
}
