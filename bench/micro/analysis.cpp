// What one look at a text costs: found by its bytes, found by its shape, analysed afresh. Prints
// nanoseconds per text, the median of rounds. One thread; no server. Build the target
// bench_analysis with the preset release.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include "proxy/runtime/deciding.hpp"

namespace postern::proxy {
namespace {

constexpr int kRounds = 15;
constexpr int kTexts = 2'000;

std::shared_ptr<const sql::Catalog> catalog(int tables) {
  sql::CatalogBuilder builder;
  for (int t = 0; t < tables; ++t) {
    sql::Relation table;
    table.oid = static_cast<Oid>(20'000 + t);
    table.schema = "public";
    table.name = "t" + std::to_string(t);
    for (std::int16_t c = 1; c <= 12; ++c) {
      table.columns.push_back({"c" + std::to_string(c), c, c == 1 ? Oid{20} : Oid{25}});
    }
    builder.add(std::move(table));
  }
  return builder.freeze(1);
}

std::vector<std::string> texts(bool alike) {
  std::vector<std::string> out;
  for (int i = 0; i < kTexts; ++i) {
    out.push_back("SELECT c1, c2, c3, c4 FROM t7 WHERE c1 = " + std::to_string(alike ? i : 17) +
                  " AND c2 = 'customer-" + std::to_string(i) + "' ORDER BY c3 LIMIT 20");
  }
  return out;
}

template <typename Work>
void measure(const char* what, const std::vector<std::string>& all, Work work) {
  std::vector<double> rounds;
  for (int round = 0; round < kRounds; ++round) {
    const auto began = std::chrono::steady_clock::now();
    for (const std::string& text : all) work(text);
    const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - began;
    rounds.push_back(took.count() / static_cast<double>(all.size()));
  }
  std::sort(rounds.begin(), rounds.end());
  std::printf("%-34s %9.0f ns (best %.0f)\n", what, rounds[kRounds / 2], rounds[0]);
}

int run() {
  auto protection = std::make_shared<Protection>();
  auto rules = std::make_shared<policy::Ruleset>();
  protection->catalog = catalog(300);
  rules->catalog = protection->catalog;
  rules->is_protected = true;
  protection->rules = rules;
  protection->is_protected = true;
  const std::vector<std::string> path = {"public"};
  DecisionScope scope;
  scope.protection = protection;
  scope.search_path = path;
  scope.text_bytes = 1 << 20;
  const sql::AnalysisContext context{protection->catalog, path};
  const auto analyse = [&](const std::string& text) { return sql::analyze(text, context, {}); };

  const std::vector<std::string> alike = texts(true);
  Decider decider(32UL << 20);
  decider.conclude(alike[0], analyse(alike[0]), scope);
  std::vector<std::string> same(kTexts, alike[0]);
  bool found = true;
  measure("found by bytes", same, [&](const std::string& text) {
    found = found && decider.find(text, scope).source == Decider::Source::kBytes;
  });
  Decider shapes(4UL << 20);  // too small to keep all texts by their bytes
  shapes.conclude(alike[0], analyse(alike[0]), scope);
  std::size_t by_shape = 0;
  int salt = 0;
  measure("found by shape, decided", alike, [&](const std::string& text) {
    std::string fresh = text;
    fresh.insert(fresh.find("customer-"), std::to_string(++salt));
    by_shape += shapes.find(fresh, scope).source == Decider::Source::kShape ? 1 : 0;
  });
  measure("shape alone", alike, [&](const std::string& text) {
    found = found && sql::shape_of(text, 50'000).has_value();
  });
  const auto facts = analyse(alike[0]);
  measure("decision alone", alike, [&](const std::string&) {
    found =
        found && policy::decide(*facts, alike[0], *rules, scope.principal).statements.size() == 1;
  });
  measure("analysed afresh, without decision", alike,
          [&](const std::string& text) { found = found && analyse(text) != nullptr; });
  const bool good = found && by_shape == static_cast<std::size_t>(kRounds) * kTexts;
  std::printf("%s\n", good ? "every text was found where it should be" : "WRONG");
  return good ? 0 : 1;
}

}  // namespace
}  // namespace postern::proxy

int main() {
  return postern::proxy::run();
}
