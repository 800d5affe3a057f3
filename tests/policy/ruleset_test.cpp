#include "policy/ruleset.hpp"

#include <doctest/doctest.h>

#include "base/codes/gate.hpp"
#include "tests/policy/policy_fixture.hpp"

using namespace postern;
using namespace postern::test;

namespace {

/// The error of compiling the fixture's options after one change.
template <typename Change>
Error failing(Change change) {
  auto changed = options();
  change(changed);
  const auto result = policy::compile_ruleset(changed, catalog());
  REQUIRE_FALSE(result);
  return result.error();
}

bool says(const Error& error, std::string_view words) {
  return error.message().find(words) != std::string::npos;
}

}  // namespace

TEST_CASE("the tenant column covers every table that has it, and what stands below") {
  const auto ruleset = rules();
  CHECK(ruleset->is_protected);
  for (const Oid oid : {kUsers, kAccounts, kOrders, kEvents, kEvents1, kEvents2, kNotes}) {
    CHECK(ruleset->tenant_tables.contains(oid));
  }
  CHECK(ruleset->tenant_tables.at(kEvents).attnum == 2);
  CHECK(ruleset->tenant_tables.at(kUsers).table == "public.users");
  CHECK_FALSE(ruleset->tenant_tables.contains(kPlans));
  CHECK_FALSE(ruleset->tenant_tables.contains(kOrderView));
  CHECK(ruleset->unwallable.contains(kOrderMatview));
  CHECK(ruleset->unwallable.contains(kForeign));
  CHECK_FALSE(unprotected()->is_protected);
  CHECK(rules()->epoch != unprotected()->epoch);
}

TEST_CASE("shared tables, explicit rules and partitions") {
  auto changed = options();
  changed.columns.clear();
  changed.shared = {"public.o?ders", "*.mv_*", "public.events_*", "public.remote"};
  changed.tables = {{"public.plans", "id"}, {"public.sc*", ""}};
  const auto ruleset = *policy::compile_ruleset(changed, catalog());
  CHECK_FALSE(ruleset->tenant_tables.contains(kOrders));
  CHECK(ruleset->unwallable.empty());
  CHECK(ruleset->tenant_tables.at(kPlans).column == "id");
  // A partition is walled with its parent, whatever the patterns say.
  CHECK(ruleset->tenant_tables.contains(kEvents1));
}

TEST_CASE("a protected column is one column in the table, its partitions and children") {
  const auto ruleset = rules();
  REQUIRE(ruleset->columns.size() == 8);
  const auto* parent = ruleset->protected_column({kEvents, 3});
  REQUIRE(parent != nullptr);
  CHECK(parent == ruleset->protected_column({kEvents1, 1}));
  CHECK(ruleset->protected_column({kEvents1, 3}) == nullptr);
  CHECK(ruleset->column_index.at({kEvents2, 1}) == policy::ColumnId{kEventEmail});
  CHECK(ruleset->protected_tables.contains(kEvents2));
  CHECK(ruleset->columns[kEmail].link_group == std::string(32, 'a'));
  CHECK(ruleset->columns[kSsn].link_group == ruleset->columns[kSsn].uuid);
  CHECK(ruleset->columns[kSsn].type.length == 11);
  CHECK(ruleset->columns[kSsn].stored_sealed);
}

TEST_CASE("names that do not exist are named, with the nearest one") {
  const auto table = failing([](auto& o) { o.columns[0].table = "public.userz"; });
  CHECK(table.code == pst::kPolicyUnknownTable);
  CHECK(says(table, "did you mean \"public.users\"?"));
  const auto column = failing([](auto& o) { o.columns[0].column = "emai"; });
  CHECK(column.code == pst::kPolicyUnknownColumn);
  CHECK(says(column, "did you mean \"email\"?"));
  const auto rule = failing([](auto& o) { o.tables = {{"public.plan", "id"}}; });
  CHECK(rule.code == pst::kPolicyUnknownTable);
  CHECK(says(rule, "public.plans"));
  const auto tenant = failing([](auto& o) { o.tables = {{"public.pl*", "tenant"}}; });
  CHECK(tenant.code == pst::kPolicyUnknownColumn);
  CHECK(says(tenant, "public.plans"));
}

TEST_CASE("rules of columns that cannot be kept are refused") {
  const auto bad = [](auto change, std::string_view words) {
    const Error error = failing(change);
    CHECK(error.code == pst::kPolicyBadColumn);
    CAPTURE(error.message());
    CHECK(says(error, words));
  };
  bad([](auto& o) { o.columns[0].uuid = ""; }, "uuidgen");
  bad([](auto& o) { o.columns[0].uuid = "12"; }, "not a UUID");
  bad([](auto& o) { o.columns[0].uuid = std::string(31, '1') + "g"; }, "not a UUID");
  bad([](auto& o) { o.columns[1].uuid = o.columns[0].uuid; }, "has the uuid of");
  bad([](auto& o) { o.columns[1].link_group = std::string(32, 'b'); }, "only deterministic");
  bad([](auto& o) { o.columns[4].link_group = std::string(32, 'a'); }, "differs in key scope or");
  bad([](auto& o) { o.columns[3].link_group = std::string(32, 'a'); }, "differs in key scope or");
  bad([](auto& o) { o.columns[3].scope = policy::KeyScope::kTenant; }, "no tenant column");
  bad([](auto& o) { o.columns[0].column = "tenant_id"; }, "tenant column itself");
  bad([](auto& o) { o.columns[0].type = "money"; }, "cannot be encrypted yet");
  bad([](auto& o) { o.columns[0].table = "public.*"; }, "a uuid of its own");
  bad([](auto& o) { o.columns[5].table = "public.events_1"; },
      "protect the column of public.events");
  bad([](auto& o) { o.columns[0].table = "public.v_orders"; }, "not a table");
  bad(
      [](auto& o) {
        o.columns.push_back(o.columns[0]), o.columns.back().uuid = std::string(32, 'f');
      },
      "protected twice");
}

TEST_CASE("both spellings of a UUID are one") {
  auto changed = options();
  changed.columns[1].uuid = "ABCDEF01-2345-6789-abcd-ef0123456789";
  const auto ruleset = *policy::compile_ruleset(changed, catalog());
  CHECK(ruleset->columns[kSsn].uuid == "abcdef0123456789abcdef0123456789");
}

TEST_CASE("a parent without the tenant column would show its children's rows") {
  sql::CatalogBuilder builder;
  sql::Relation parent;
  parent.oid = 1, parent.schema = "public", parent.name = "parent";
  parent.columns.push_back({"id", 1, 23, -1, false, false, false});
  sql::Relation child = parent;
  child.oid = 2, child.name = "child", child.parents = {1};
  child.columns.push_back({"tenant_id", 2, 23, -1, false, false, false});
  policy::PolicyOptions wanted;
  wanted.tenant_column = "tenant_id";
  const auto ruleset = *policy::compile_ruleset(wanted, builder.add(parent).add(child).freeze(1));
  CHECK(ruleset->tenant_tables.contains(2));
  CHECK(ruleset->unwallable.contains(1));
}

TEST_CASE("words of profiles") {
  for (const auto profile :
       {policy::Profile::kApp, policy::Profile::kAnalyst, policy::Profile::kMigrator,
        policy::Profile::kBackup, policy::Profile::kAdmin, policy::Profile::kTransparent}) {
    CHECK(policy::profile_from_word(policy::to_word(profile)) == profile);
  }
  CHECK_FALSE(policy::profile_from_word("root"));
}
