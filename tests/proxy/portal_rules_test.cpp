// When a portal may go on under rules that are newer than its Bind.
#include "proxy/session/portal_rules.hpp"

#include <doctest/doctest.h>

#include "sql/analyzer.hpp"

using namespace postern;
using namespace postern::proxy;

namespace {

constexpr Oid kBytea = 17;
constexpr std::string_view kUuid = "0123456789abcdef0123456789abcdef";

/// What a test changes of a database with one tenant table that has an encrypted column.
struct Change {
  Oid table = 20'000;
  Oid note_type = kBytea;
  bool walled = true;
  bool encrypted = true;
  bool another = false;  ///< one more encrypted table, which comes first
  std::string uuid = std::string(kUuid);
  policy::Scheme scheme = policy::Scheme::kDeterministic;
};

sql::Relation table_of(Oid oid, std::string name, Oid note_type) {
  sql::Relation table;
  table.oid = oid;
  table.schema = "public";
  table.name = std::move(name);
  table.columns = {{"tenant_id", 1, 25}, {"id", 2, 20}, {"note", 3, note_type}};
  return table;
}

policy::ColumnRule column_of(std::string table, std::string uuid, policy::Scheme scheme) {
  policy::ColumnRule rule;
  rule.table = std::move(table);
  rule.column = "note";
  rule.type = "text";
  rule.scheme = scheme;
  rule.uuid = std::move(uuid);
  return rule;
}

std::shared_ptr<const Protection> protection(const Change& change) {
  sql::CatalogBuilder builder;
  builder.add(table_of(change.table, "t", change.note_type));
  builder.add(table_of(20'001, "s", kBytea));
  policy::PolicyOptions options;
  if (change.walled) options.tenant_column = "tenant_id";
  if (change.another) {
    const std::string other(32, 'b');
    options.columns.push_back(column_of("public.s", other, policy::Scheme::kRandomized));
  }
  if (change.encrypted) {
    options.columns.push_back(column_of("public.t", change.uuid, change.scheme));
  }
  if (!change.walled) {
    for (policy::ColumnRule& rule : options.columns) rule.scope = policy::KeyScope::kGlobal;
  }
  auto made = std::make_shared<Protection>();
  made->is_protected = true;
  made->catalog = builder.freeze(1);
  auto rules = policy::compile_ruleset(options, made->catalog);
  REQUIRE(rules);
  made->rules = *rules;
  return made;
}

std::shared_ptr<AnalysedText> decided(const std::string& text, const Change& change = {},
                                      policy::Profile profile = policy::Profile::kApp,
                                      std::vector<std::string> path = {"public"}) {
  auto analysed = std::make_shared<AnalysedText>();
  analysed->text = text;
  analysed->protection = protection(change);
  analysed->search_path = std::move(path);
  analysed->has_tenant = true;
  const sql::AnalysisContext context{analysed->protection->catalog, analysed->search_path};
  analysed->facts = sql::analyze(text, context, {});
  policy::Decision decision =
      policy::decide(*analysed->facts, text, *analysed->protection->rules, {profile, true, true});
  analysed->decision = std::make_shared<const policy::Decision>(std::move(decision));
  return analysed;
}

bool same(const std::string& text, const Change& change) {
  return needs_the_same(*decided(text), *decided(text, change));
}

}  // namespace

TEST_CASE("a portal goes on where nothing it needs is different") {
  for (const char* text : {"SELECT note, id FROM t", "INSERT INTO t (id, note) VALUES (1, $1)",
                           "SELECT 1", "UPDATE t SET note = 'x' WHERE note = $1"}) {
    CAPTURE(text);
    CHECK(same(text, {}));
    Change renumbered;
    renumbered.another = true;
    CHECK(same(text, renumbered));
  }
}

TEST_CASE("a portal does not go on where something is") {
  const std::string text = "SELECT note, id FROM t WHERE note = $1";
  REQUIRE(same(text, {}));
  Change change;
  SUBCASE("another table of the name") {
    change.table = 20'002;
  }
  SUBCASE("another key") {
    change.uuid = std::string(32, 'c');
  }
  SUBCASE("no longer encrypted") {
    change.encrypted = false;
  }
  SUBCASE("of another stored type") {
    change.note_type = 25;
  }
  CHECK_FALSE(same(text, change));
  CHECK_FALSE(needs_the_same(*decided(text, change), *decided(text)));
}

TEST_CASE("a wall that came or went") {
  Change bare;
  bare.encrypted = false;
  Change open = bare;
  open.walled = false;
  const std::string text = "SELECT id FROM t";
  CHECK(needs_the_same(*decided(text, bare), *decided(text, bare)));
  CHECK_FALSE(needs_the_same(*decided(text, bare), *decided(text, open)));
  CHECK_FALSE(needs_the_same(*decided(text, open), *decided(text, bare)));
}

TEST_CASE("another path, tenant or sight") {
  const std::string text = "SELECT id FROM t";
  const auto former = decided(text);
  CHECK_FALSE(needs_the_same(*former, *decided(text, {}, policy::Profile::kApp, {"x", "public"})));
  const auto tenantless = decided(text);
  tenantless->has_tenant = false;
  CHECK_FALSE(needs_the_same(*former, *tenantless));
  const auto blind = decided(text);
  blind->decrypts = false;
  CHECK_FALSE(needs_the_same(*former, *blind));
  const auto undecided = decided(text);
  undecided->decision = nullptr;
  CHECK_FALSE(needs_the_same(*former, *undecided));
  CHECK_FALSE(needs_the_same(*undecided, *former));
}

TEST_CASE("what a migrator named before the catalog knew it") {
  const auto migrator = policy::Profile::kMigrator;
  const std::string text = "SELECT id FROM s";
  const auto known = decided(text, {}, migrator);
  const auto unknown = decided(text, {}, migrator, {"elsewhere"});
  unknown->search_path = known->search_path;
  REQUIRE_FALSE(unknown->facts->statements.front().understood());
  CHECK(needs_the_same(*unknown, *known));
  CHECK_FALSE(needs_the_same(*known, *unknown));
  // It has to be opened now.
  const auto sealed = decided("SELECT note FROM t", {}, migrator);
  const auto before = decided("SELECT note FROM t", {}, migrator, {"elsewhere"});
  before->search_path = sealed->search_path;
  CHECK_FALSE(needs_the_same(*before, *sealed));
}
