// The two levels of the analysis cache: bounds, scopes, what is found how.
#include "proxy/runtime/deciding.hpp"

#include <doctest/doctest.h>

using namespace postern;
using namespace postern::proxy;
using Source = Decider::Source;

namespace {

std::shared_ptr<const Protection> protection(std::uint64_t epoch) {
  sql::Relation table;
  table.oid = 20'000;
  table.schema = "public";
  table.name = "t";
  table.columns = {{"id", 1, 20}, {"note", 2, 25}};
  auto rules = std::make_shared<policy::Ruleset>();
  rules->catalog = sql::CatalogBuilder().add(std::move(table)).freeze(epoch);
  auto made = std::make_shared<Protection>();
  made->epoch = epoch;
  made->catalog = rules->catalog;
  made->rules = rules;
  return made;
}

struct Rig {
  std::vector<std::string> path = {"public"};
  DecisionScope scope;
  Decider decider;

  explicit Rig(std::size_t bytes = 1 << 20) : decider(bytes) {
    scope.protection = protection(1);
    scope.search_path = path;
    scope.text_bytes = 1 << 20;
  }
  std::shared_ptr<const AnalysedText> learn(const std::string& text) {
    const sql::AnalysisContext context{scope.protection->catalog, path};
    return decider.conclude(text, sql::analyze(text, context, {}), scope);
  }
  Source source(std::string_view text) { return decider.find(text, scope).source; }
};

}  // namespace

TEST_CASE("a text is found by its bytes, then by its shape, and by its bytes when it comes again") {
  Rig rig;
  const std::string first = "SELECT note FROM t WHERE id = 1";
  CHECK(rig.source(first) == Source::kNone);
  const auto learnt = rig.learn(first);
  CHECK(rig.source(first) == Source::kBytes);
  CHECK(rig.decider.find(first, rig.scope).analysed == learnt);
  const std::string second = "SELECT note FROM t WHERE id = 22";
  const auto moved = rig.decider.find(second, rig.scope);
  CHECK(moved.source == Source::kShape);
  CHECK(moved.analysed->text == second);
  CHECK(moved.analysed->facts->statements[0].span == sql::Span{0, 32});
  CHECK(moved.analysed->decision != nullptr);
  CHECK(rig.source(second) == Source::kShape);  // the second time it is kept
  CHECK(rig.source(second) == Source::kBytes);
  CHECK(rig.source("SELECT note FROM t WHERE id = '22'") == Source::kNone);
  CHECK(rig.source("SELECT id FROM t WHERE id = 1") == Source::kNone);
}

TEST_CASE("a decision that looked at no byte of its text is that of the whole shape") {
  Rig rig;
  rig.learn("SELECT note FROM t WHERE id = 1");
  const auto one = rig.decider.find("SELECT note FROM t WHERE id = 2", rig.scope).analysed;
  const auto other = rig.decider.find("SELECT note FROM t WHERE id = 33", rig.scope).analysed;
  CHECK(one->decision == other->decision);
  CHECK(one->decision->statements[0].cache.cacheable);
  CHECK(one->facts != other->facts);
}

TEST_CASE("a decision that read its text is made anew for each of a shape") {
  Rig rig;
  rig.learn("SELECT note FROM t WHERE note = 'then'");
  const auto plain = rig.decider.find("SELECT note FROM t WHERE note = 'here'", rig.scope).analysed;
  const auto moment = rig.decider.find("SELECT note FROM t WHERE note = 'now'", rig.scope).analysed;
  CHECK(plain->decision->statements[0].cache.cacheable);
  CHECK_FALSE(moment->decision->statements[0].cache.cacheable);
}

TEST_CASE("where nothing is cached, no literal is looked at, and no answer counts as cacheable") {
  Rig rig;
  auto rules = std::make_shared<policy::Ruleset>(*rig.scope.protection->rules);
  rules->options.caches = false;
  auto made = std::make_shared<Protection>(*rig.scope.protection);
  made->rules = rules;
  rig.scope.protection = made;
  rig.learn("SELECT note FROM t WHERE note = 'here'");
  const auto one = rig.decider.find("SELECT note FROM t WHERE note = 'there'", rig.scope).analysed;
  const auto two = rig.decider.find("SELECT note FROM t WHERE note = 'now'", rig.scope).analysed;
  CHECK(one->decision == two->decision);
  CHECK_FALSE(one->decision->statements[0].cache.cacheable);
}

TEST_CASE("a refusal is made anew for each text: it names a place") {
  Rig rig;
  rig.scope.principal.profile = policy::Profile::kAnalyst;
  const auto first = rig.learn("/* long */ INSERT INTO t VALUES (1)");
  REQUIRE(first->decision->refusal);
  const auto second = rig.decider.find("/**/ INSERT INTO t VALUES (22)", rig.scope).analysed;
  REQUIRE(second != nullptr);
  REQUIRE(second->decision->refusal);
  CHECK(first->decision->refusal->error.position == 12);
  CHECK(second->decision->refusal->error.position == 6);
}

TEST_CASE("scopes are kept apart") {
  Rig rig;
  const std::string text = "SELECT note FROM t WHERE id = 1";
  rig.learn(text);
  rig.scope.principal.has_tenant = true;
  CHECK(rig.source(text) == Source::kNone);
  rig.scope.principal.has_tenant = false;
  rig.scope.principal.profile = policy::Profile::kAnalyst;
  CHECK(rig.source(text) == Source::kNone);
  rig.scope.principal.profile = policy::Profile::kApp;
  const std::vector<std::string> other = {"public", "x"};
  rig.scope.search_path = other;
  CHECK(rig.source(text) == Source::kNone);
  rig.scope.search_path = rig.path;
  CHECK(rig.source(text) == Source::kBytes);
}

TEST_CASE("a new policy of the database lets go of everything under the former") {
  Rig rig;
  rig.learn("SELECT note FROM t WHERE id = 1");
  const std::weak_ptr<const Protection> former = rig.scope.protection;
  rig.scope.protection = protection(2);
  CHECK(rig.source("SELECT note FROM t WHERE id = 1") == Source::kNone);
  CHECK(former.expired());
  CHECK(rig.decider.bytes() == 0);
}

TEST_CASE("one scope past the limit takes the place of those unused for the longest time") {
  Rig rig;
  const std::string text = "SELECT note FROM t WHERE id = 1";
  rig.learn(text);
  std::vector<std::vector<std::string>> paths;
  for (std::size_t i = 1; i < Decider::kMaxScopes; ++i) paths.push_back({std::to_string(i)});
  rig.scope.search_path = paths.back();
  rig.learn(text);
  for (const auto& path : std::span(paths).first(paths.size() - 1)) {
    rig.scope.search_path = path;
    CHECK(rig.source(text) == Source::kNone);
  }
  rig.scope.search_path = rig.path;
  CHECK(rig.source(text) == Source::kBytes);  // at the limit
  const std::vector<std::string> more = {"more"};
  rig.scope.search_path = more;
  CHECK(rig.source(text) == Source::kNone);
  CHECK(rig.source(text) == Source::kNone);  // one past it
  rig.scope.search_path = rig.path;
  CHECK(rig.source(text) == Source::kBytes);  // just used
  rig.scope.search_path = paths.back();
  CHECK(rig.source(text) == Source::kNone);  // used before all others
}

TEST_CASE("texts up to 16 KB are kept, and no more bytes than allowed") {
  Rig rig(256 * 1024);
  const std::string head = "SELECT note FROM t WHERE note = '";
  const auto text_of = [&](std::size_t bytes) {
    return head + std::string(bytes - head.size() - 1, 'x') + "'";
  };
  const std::string fits = text_of(Decider::kMaxCachedBytes);
  rig.learn(fits);
  CHECK(rig.source(fits) == Source::kBytes);
  const std::string over = text_of(Decider::kMaxCachedBytes + 1);
  rig.learn(over);
  CHECK(rig.source(over) == Source::kNone);
  for (int i = 0; i < 2'000; ++i) rig.learn("SELECT note AS n" + std::to_string(i) + " FROM t");
  CHECK(rig.decider.bytes() <= 256 * 1024);
  CHECK(rig.decider.texts() > 50);
  CHECK(rig.source("SELECT note AS n1999 FROM t") == Source::kBytes);
  CHECK(rig.source("SELECT note AS n0 FROM t") == Source::kNone);
  rig.scope.text_bytes = fits.size() - 1;
  CHECK(rig.source(fits) == Source::kNone);
}

TEST_CASE("a cache of texts: least recently used out, at the limit and one past it") {
  constexpr std::size_t kEach = TextCache<int>::kEntryBytes + 10;
  TextCache<int> cache(3 * kEach);
  for (int i = 0; i < 3; ++i) cache.store(1, std::string(1, static_cast<char>('a' + i)), i, 9);
  CHECK(cache.size() == 3);
  CHECK(cache.bytes() == 3 * kEach);
  REQUIRE(cache.find(1, "a") != nullptr);
  CHECK(cache.find(2, "a") == nullptr);
  cache.store(1, "d", 3, 9);
  CHECK(cache.find(1, "b") == nullptr);
  CHECK(*cache.find(1, "a") == 0);
  cache.store(1, "a", 7, 9);
  CHECK(*cache.find(1, "a") == 7);
  CHECK(cache.size() == 3);
  cache.store(1, "e", 4, 3 * kEach);  // never fits
  CHECK(cache.find(1, "e") == nullptr);
  CHECK(cache.size() == 3);
  cache.store(2, "a", 5, 9);
  cache.drop([](std::uint64_t scope) { return scope == 1; });
  CHECK(cache.size() == 1);
  CHECK(cache.bytes() == kEach);
}
