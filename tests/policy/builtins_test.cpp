// Every function of pg_catalog on a real PostgreSQL 15 has been looked at: none is let through, or
// refused, because nobody thought of it.
#include <set>

#include <doctest/doctest.h>

#include "policy/gate.hpp"
#include "tests/policy/wall_fixture.hpp"

using namespace postern;
using namespace postern::test;
using policy::FunctionRisk;

namespace {

/// Name and risk of each function that a condition selects.
std::vector<std::pair<std::string, FunctionRisk>> judged(WallFixture& f, const std::string& where) {
  std::vector<std::pair<std::string, FunctionRisk>> out;
  for (const auto& row : f.admin.rows(
           "SELECT p.oid, p.proname, p.provolatile, p.proargtypes[0], p.pronargs FROM pg_proc p "
           "WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.oid < 16384 AND " +
           where)) {
    sql::Routine routine;
    routine.oid = static_cast<Oid>(std::stoul(row.at(0)));
    routine.schema = "pg_catalog";
    routine.name = row.at(1);
    routine.volatility = row.at(2).at(0);
    routine.native = true;
    routine.arguments.assign(std::stoul(row.at(4)), 0);
    if (!routine.arguments.empty()) routine.arguments[0] = static_cast<Oid>(std::stoul(row.at(3)));
    out.emplace_back(routine.name, policy::function_risk(routine));
  }
  return out;
}

}  // namespace

TEST_CASE("PostgreSQL 15 has no function that nobody looked at") {
  WallFixture f;
  const auto all = judged(f, "true");
  REQUIRE(all.size() > 3000);
  // Of bootstrap, pg_upgrade and extension scripts: unknown, and so refused.
  const std::set<std::string> internals = {"pg_extension_config_dump", "pg_nextoid",
                                           "pg_stop_making_pinned_objects"};
  std::set<std::string> unknown;
  for (const auto& [name, risk] : all) {
    if (risk == FunctionRisk::kUnknown) unknown.insert(name);
  }
  CHECK(unknown == internals);
}

TEST_CASE(
    "functions that take a relation, and change or may read anything, are refused or listed") {
  WallFixture f;
  // Of definitions and privileges, not of rows; nextval and currval are what applications use.
  const std::set<std::string> harmless = {"currval",
                                          "nextval",
                                          "pg_column_is_updatable",
                                          "pg_get_replica_identity_index",
                                          "pg_index_column_has_property",
                                          "pg_index_has_property",
                                          "pg_partition_ancestors",
                                          "pg_partition_root",
                                          "pg_partition_tree",
                                          "pg_relation_is_publishable",
                                          "pg_relation_is_updatable",
                                          "regclassout",
                                          "regclasssend"};
  std::set<std::string> passing;
  const auto found =
      judged(f, "(p.prokind = 'f' AND 'regclass'::regtype = ANY (p.proargtypes::oid[]))");
  REQUIRE(found.size() > 20);
  for (const auto& [name, risk] : found) {
    if (risk == FunctionRisk::kNone) passing.insert(name);
  }
  CHECK(passing == harmless);
  // By text: SQL, or a relation's name.
  for (const char* name : {"currtid2", "query_to_xml", "table_to_xml", "cursor_to_xml", "ts_stat",
                           "schema_to_xml", "database_to_xml", "query_to_xml_and_xmlschema"}) {
    const auto one = judged(f, "p.proname = '" + std::string(name) + "'");
    REQUIRE_FALSE(one.empty());
    for (const auto& [overload, risk] : one) {
      CAPTURE(overload);
      CHECK(risk == FunctionRisk::kDenied);
    }
  }
}
