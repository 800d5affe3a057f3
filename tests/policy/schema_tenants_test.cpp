// Tenants by schema: names, what the gate refuses, and the wall of privileges on PostgreSQL 15.
#include "policy/schema_tenants.hpp"

#include <doctest/doctest.h>

#include "base/codes/wall.hpp"
#include "sql/analyzer.hpp"
#include "tests/policy/policy_fixture.hpp"
#include "tests/policy/wall_fixture.hpp"

using namespace postern;
using namespace postern::test;
using policy::NameTemplate;
using policy::Principal;
using policy::Profile;

namespace {

constexpr Oid kText = 25, kFloat4 = 700;
constexpr Oid kOwn = 30001, kOther = 30002, kShared = 30003, kForgotten = 30004, kView = 30005,
              kReport = 30006, kClass = 1259, kOwnFunction = 30101, kOtherFunction = 30102;

policy::SchemaTenants tenants() {
  policy::SchemaTenants out;
  out.schema = *NameTemplate::parse("tenant_{tenant}");
  out.role = *NameTemplate::parse("tenant_{tenant}");
  out.trusted = {"shared.report"};
  return out;
}

sql::Relation relation(Oid oid, std::string schema, std::string name,
                       std::vector<std::string> columns = {"id"}) {
  sql::Relation out;
  out.oid = oid;
  out.schema = std::move(schema);
  out.name = std::move(name);
  out.owner = "own";
  for (std::string& column : columns) {
    sql::Column added;
    added.name = std::move(column);
    added.attnum = static_cast<std::int16_t>(out.columns.size() + 1);
    added.type = kText;
    out.columns.push_back(std::move(added));
  }
  return out;
}

sql::Relation view_over(sql::Relation view, Oid table) {
  view.kind = sql::RelationKind::kView;
  view.depends_on = {table};
  return view;
}

sql::Routine function(Oid oid, std::string schema, std::string name) {
  sql::Routine out;
  out.oid = oid;
  out.schema = std::move(schema);
  out.name = std::move(name);
  out.return_type = kText;
  return out;
}

sql::Type type(Oid oid, std::string name) {
  sql::Type out;
  out.oid = oid;
  out.schema = "pg_catalog";
  out.name = std::move(name);
  return out;
}

std::shared_ptr<const policy::Ruleset> schema_rules() {
  sql::CatalogBuilder b;
  b.add(type(kText, "text"));
  b.add(type(kFloat4, "float4"));
  b.add(relation(kOwn, "tenant_acme", "orders", {"id", "note"}));
  b.add(relation(kOther, "tenant_globex", "orders", {"id", "note"}));
  b.add(relation(kShared, "shared", "kinds"));
  b.add(relation(kForgotten, "hr", "salaries"));
  b.add(view_over(relation(kView, "tenant_acme", "peek"), kOther));
  b.add(view_over(relation(kReport, "shared", "report"), kOther));
  b.add(relation(kClass, "pg_catalog", "pg_class", {"oid", "relname", "reltuples", "relpages"}));
  b.add(function(kOwnFunction, "tenant_acme", "total"));
  b.add(function(kOtherFunction, "tenant_globex", "total"));
  policy::PolicyOptions options;
  options.schemas = tenants();
  options.shared = {"shared.*"};
  auto compiled = policy::compile_ruleset(options, b.database_oid(5).freeze(1));
  if (!compiled) FAIL(compiled.error().line());
  return *compiled;
}

Principal acme(Profile profile = Profile::kApp) {
  Principal out{profile, true, true};
  out.schema = "tenant_acme";
  return out;
}

policy::Decision decide_as(const char* text, const Principal& principal,
                           const policy::Ruleset& rules) {
  sql::AnalysisContext context;
  context.catalog = rules.catalog;
  context.search_path = {"tenant_acme", "shared"};
  const auto facts = sql::analyze(text, context, {});
  return policy::decide(*facts, text, rules, principal);
}

struct Case {
  const char* text;
  const char* refusal;  ///< "" = passes
};

void check(const Principal& principal, std::initializer_list<Case> cases) {
  const auto rules = schema_rules();
  for (const Case& c : cases) {
    CAPTURE(c.text);
    CHECK(refusal_of(decide_as(c.text, principal, *rules)) == c.refusal);
  }
}

}  // namespace

TEST_CASE("templates give every tenant a name of its own, and nobody else's") {
  const NameTemplate made = *NameTemplate::parse("tenant_{tenant}_x");
  CHECK(*made.name_of(*TenantId::parse("acme")) == "tenant_acme_x");
  CHECK(made.matches("tenant_acme_x"));
  CHECK_FALSE(made.matches("tenant__x"));
  CHECK_FALSE(made.matches("tenant_acme"));
  CHECK_FALSE(made.matches("Tenant_acme_x"));
  const std::string longest(63 - 9, 'a');
  CHECK(made.name_of(*TenantId::parse(longest))->size() == 63);
  // One more, and the server would cut it to a name that another tenant may have.
  const auto cut = made.name_of(*TenantId::parse(longest + "a"));
  REQUIRE_FALSE(cut);
  CHECK(cut.error().code == pst::kTenantWithoutSchema);
  for (const char* bad :
       {"", "tenant", "{tenant}", "{tenant}_x", "a{tenant}{tenant}", "pg_{tenant}", "p{tenant}",
        "pub{tenant}", "post{tenant}", "postern_{tenant}", "postgres_{tenant}", "info{tenant}",
        "t\"{tenant}", "t {tenant}", "t{tenant}\n"}) {
    CAPTURE(bad);
    const auto parsed = NameTemplate::parse(bad);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().code == pst::kBadTenantTemplate);
  }
  CHECK_FALSE(NameTemplate::parse(std::string(63, 't') + "{tenant}"));
  CHECK(NameTemplate::parse(std::string(62, 't') + "{tenant}"));
}

TEST_CASE("the search path is the tenant's schema, then what is shared") {
  const std::vector<std::string> shared = {"shared.*", "ref.kinds", "*.x", "shared.y"};
  CHECK(policy::shared_schemas(shared) == std::vector<std::string>{"shared", "ref"});
  CHECK(policy::search_path_text(policy::tenant_search_path("tenant_A-b", shared)) ==
        "\"tenant_A-b\", \"shared\", \"ref\"");
}

TEST_CASE("a tenant reaches its own schema and what is shared") {
  check(acme(), {{"SELECT * FROM orders", ""},
                 {"SELECT * FROM tenant_acme.orders o JOIN kinds k ON k.id = o.id", ""},
                 {"INSERT INTO orders VALUES ('1', 'x')", ""},
                 {"COPY orders FROM STDIN", ""},
                 {"TRUNCATE orders", ""},
                 {"EXPLAIN SELECT * FROM orders", ""},
                 {"SELECT total() FROM kinds", ""},
                 {"SELECT * FROM report", ""},
                 {"SELECT oid, relname FROM pg_class", ""},
                 {"SELECT * FROM tenant_globex.orders", "PST-1509 wall.schema"},
                 {"INSERT INTO tenant_globex.orders VALUES ('1', 'x')", "PST-1509 wall.schema"},
                 {"UPDATE orders SET note = (SELECT min(note) FROM tenant_globex.orders)",
                  "PST-1509 wall.schema"},
                 {"COPY tenant_globex.orders TO STDOUT", "PST-1509 wall.schema"},
                 {"SELECT tenant_globex.total()", "PST-1509 wall.schema"},
                 {"SELECT * FROM peek", "PST-1509 wall.schema"},
                 {"SELECT * FROM hr.salaries", "PST-1510 wall.schema"},
                 {"SELECT oid FROM pg_class WHERE reltuples = '5'", "PST-1524 gate.numbers"},
                 {"SELECT c FROM pg_class c", "PST-1524 gate.numbers"},
                 {"LISTEN x", "PST-1507 gate.shared"},
                 {"CREATE TABLE t (a int)", "PST-1501 gate.statement"}});
}

TEST_CASE("who has no tenant reaches no tenant's schema, but for whom works for all") {
  check(
      Principal{Profile::kApp, false, true},
      {{"SELECT * FROM kinds", ""}, {"SELECT * FROM tenant_acme.orders", "PST-1509 wall.schema"}});
  check(Principal{Profile::kAnalyst, false, true},
        {{"SELECT * FROM tenant_acme.orders", "PST-1509 wall.schema"}});
  for (const Profile profile : {Profile::kMigrator, Profile::kBackup, Profile::kAdmin}) {
    check(Principal{profile, false, true},
          {{"SELECT * FROM tenant_acme.orders", ""}, {"SELECT * FROM tenant_globex.orders", ""}});
  }
  // With a tenant the wall holds a migrator too.
  check(acme(Profile::kMigrator),
        {{"ALTER TABLE tenant_globex.orders ADD x int", "PST-1509 wall.schema"}});
}

TEST_CASE("counts of all tables' rows are hidden as with tenant columns") {
  const auto rules = schema_rules();
  const auto decided = decide_as("SELECT oid, reltuples FROM pg_class", acme(), *rules);
  CHECK(refusal_of(decided) == "");
  const auto& outputs = decided.statements.front().outputs;
  REQUIRE(outputs.size() == 1);
  CHECK(outputs[0].output == 1);
  CHECK(outputs[0].action == policy::OutputAction::kNoRows);
}

TEST_CASE("decisions name the wall, and observe mode only reports") {
  const auto rules = schema_rules();
  CHECK(rules->is_protected);
  const auto decided = decide_as("SELECT * FROM orders", acme(), *rules);
  const auto& names = decided.statements.front().rules;
  CHECK(std::find(names.begin(), names.end(), "wall") != names.end());
  policy::Ruleset observing = *rules;
  observing.mode = policy::Mode::kObserve;
  CHECK(decide_as("SELECT * FROM tenant_globex.orders", acme(), observing).would_refuse);
}
