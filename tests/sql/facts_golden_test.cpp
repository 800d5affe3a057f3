// Facts of many statements against tests/sql/data/*.txt, each checked by hand against PostgreSQL's
// documented behaviour. Form: "## SQL" (may go on over several lines), then the expected facts up
// to the next empty line. POSTERN_PRINT_FACTS=1 prints what analysis says now.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>
#include <vector>

#include <doctest/doctest.h>

#include "tests/sql/fixture_catalog.hpp"

using namespace postern::sql;
using namespace postern::sql::test;

namespace {

struct Case {
  std::string sql;
  std::string expected;
};

std::vector<Case> read_cases(const std::filesystem::path& file) {
  std::vector<Case> cases;
  std::ifstream in(file);
  std::string line;
  while (std::getline(in, line)) {
    if (line.starts_with("## ")) {
      cases.push_back({line.substr(3), ""});
    } else if (!line.empty() && !line.starts_with("# ") && !cases.empty()) {
      cases.back().expected += (cases.back().expected.empty() ? "" : "\n") + line;
    }
  }
  return cases;
}

std::string describe_all(const std::string& sql) {
  const auto facts = facts_of(sql);
  std::string out;
  for (const Statement& statement : facts->statements) {
    if (!out.empty()) out += "\n";
    out += describe(sql, statement);
  }
  return out;
}

}  // namespace

TEST_CASE("facts of statements are as written down") {
  const bool print = std::getenv("POSTERN_PRINT_FACTS") != nullptr;
  std::size_t count = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(POSTERN_SOURCE_DIR "/tests/sql/data")) {
    if (print) std::cout << "# " << entry.path().filename().string() << "\n";
    for (const Case& c : read_cases(entry.path())) {
      ++count;
      const std::string now = describe_all(c.sql);
      if (print) std::cout << "## " << c.sql << "\n" << now << "\n\n";
      if (print) continue;
      CAPTURE(c.sql);
      CHECK(now == c.expected);
    }
  }
  CHECK(count >= 120);
}
