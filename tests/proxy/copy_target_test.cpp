// What a COPY names, read from its text, and the server's answer about it.
#include "proxy/session/copy_target.hpp"

#include <doctest/doctest.h>

using namespace postern;
using namespace postern::proxy;

namespace {

std::string named(std::string_view text) {
  const auto names = copy_names(text);
  if (!names) return "none";
  std::string out = names->table + "(";
  for (const std::string& column : names->columns) out += column + ";";
  return out + ")";
}

const std::vector<std::vector<std::string>> kRows = {
    {"public", "t", "id"}, {"public", "t", "Name"}, {"public", "t", "note"}};

std::string columns_of(const CopyTarget& target) {
  std::string out;
  for (const std::int16_t attnum : target.form.columns) {
    out += target.relation.column(attnum)->name + ";";
  }
  return out;
}

}  // namespace

TEST_CASE("the names of a COPY") {
  CHECK(named("COPY t FROM STDIN") == "t()");
  CHECK(named("copy public . t (ID, \"Na\"\"me\") from stdin with csv") ==
        "public . t(id;Na\"me;)");
  CHECK(named("COPY \"T\"(a) FROM STDIN") == "\"T\"(a;)");
  CHECK(named("COPY BINARY t FROM STDIN") == "t()");
  CHECK(named("COPY binary FROM STDIN") == "none");  // no name of a table, unless quoted
  CHECK(named("COPY (SELECT 1) TO STDOUT") == "none");
  CHECK(named("COPY U&\"\\0074\" FROM STDIN") == "none");
  CHECK(named("COPY t (U&\"a\") FROM STDIN") == "none");
  CHECK(named("COPY t (a") == "none");
  CHECK(named("COPY t (a b) FROM STDIN") == "none");
  CHECK(named("COPY") == "none");
  CHECK(named("SELECT 1") == "none");
}

TEST_CASE("the question quotes the name") {
  CHECK(copy_target_sql({"o'hara", {}}).find("to_regclass('o''hara')") != std::string::npos);
}

TEST_CASE("the table as the server tells it") {
  std::string problem;
  const auto all = copy_target({"t", {}}, {}, kRows, problem);
  REQUIRE(all);
  CHECK(all->relation.qualified() == "public.t");
  CHECK(columns_of(*all) == "id;Name;note;");
  CHECK(all->form.force_null.size() == 3);
  const auto listed = copy_target({"t", {"note", "id"}}, {}, kRows, problem);
  REQUIRE(listed);
  CHECK(columns_of(*listed) == "note;id;");
  CHECK(problem.empty());
  CHECK_FALSE(copy_target({"t", {"name"}}, {}, kRows, problem));
  CHECK(problem == "column \"name\" of relation \"t\" does not exist");
  CHECK_FALSE(copy_target({"x.t", {}}, {}, {}, problem));
  CHECK(problem == "relation \"x.t\" does not exist");
}
