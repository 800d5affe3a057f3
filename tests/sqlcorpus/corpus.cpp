// sqlcorpus CONNINFO [--plant=relation|column|output|literal] [--show=N] SCRIPT...
//
// Analyses every statement of PostgreSQL's regression scripts on a parser thread; compares the
// facts of those that the live server takes with the server's own view, and facts moved onto
// mutated texts with fresh ones. Prints figures; the last line is "N passed, N failed".
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <future>
#include <map>
#include <sstream>

#include "sql/analyzer.hpp"
#include "sql/parser_pool.hpp"
#include "sql/shape.hpp"
#include "tests/sqlcorpus/compare.hpp"
#include "tests/sqlcorpus/script.hpp"
#include "tests/support/fact_dump.hpp"
#include "tests/support/mutate.hpp"

namespace postern::sqlcorpus {
namespace {

// Floors: what was reached when they were set, rounded down. They only go up.
constexpr double kParsedFloor = 98.0;      ///< of all statements
constexpr double kUnderstoodFloor = 99.0;  ///< of the statements that the server takes
constexpr std::size_t kStatementsFloor = 40'000;

struct Options {
  std::string conninfo;
  std::string plant;
  std::size_t show = 20;
  std::vector<std::string> scripts;
};

struct Figures {
  std::size_t statements = 0;
  std::size_t parsed = 0;
  std::size_t taken = 0;       ///< by the server
  std::size_t understood = 0;  ///< of these
  std::size_t with_dependencies = 0;
  std::size_t with_plan = 0;
  std::size_t disagreeing = 0;
  std::size_t moved = 0;
  std::size_t moved_wrong = 0;
  std::map<std::string, std::size_t> reasons;  ///< of statements the server takes and we do not
};

class Corpus {
 public:
  explicit Corpus(Options options) : options_(std::move(options)), server_(options_.conninfo) {
    context_.catalog = server_.catalog();
    context_.search_path = {"public"};
    if (!pool_.start({})) std::exit(1);
  }

  int run() {
    for (const std::string& script : options_.scripts) {
      std::ifstream in(script);
      std::stringstream text;
      text << in.rdbuf();
      for (const std::string& statement : statements_of(text.str())) one(statement);
    }
    return report();
  }

 private:
  std::shared_ptr<const sql::Facts> analyse(const std::string& text) {
    std::promise<std::shared_ptr<const sql::Facts>> promise;
    auto facts = promise.get_future();
    const Status accepted =
        pool_.submit([&] { promise.set_value(sql::analyze(text, context_, {})); });
    if (!accepted) std::exit(1);
    return planted(facts.get());
  }

  /// A bug that the comparison must find.
  std::shared_ptr<const sql::Facts> planted(std::shared_ptr<const sql::Facts> facts) const {
    if (options_.plant.empty()) return facts;
    auto wrong = std::make_shared<sql::Facts>(*facts);
    sql::Statement& s = wrong->statements.front();
    if (options_.plant == "relation" && !s.relations.empty()) s.relations.pop_back();
    if (options_.plant == "column" && !s.relations.empty()) s.relations[0].columns_read.clear();
    if (options_.plant == "output" && !s.outputs.empty()) s.outputs[0].source.reset();
    if (options_.plant == "output" && !s.outputs.empty()) s.outputs[0].sources.clear();
    if (options_.plant == "literal") {
      for (sql::Literal& literal : s.literals) literal.merely_value = true;
    }
    return wrong;
  }

  void one(const std::string& text) {
    ++figures_.statements;
    const auto facts = analyse(text);
    if (facts->statements.size() != 1) return;
    const sql::Statement& statement = facts->statements.front();
    if (statement.kind != sql::StatementKind::kOther || statement.understood()) ++figures_.parsed;
    if (statement.understood()) move(text, facts);
    const auto view = server_.view(text);
    // Of other statements PREPARE checks the grammar only.
    if (!view || !(view->has_plan || !view->columns.empty())) return;
    ++figures_.taken;
    if (!statement.understood()) {
      std::string reason = statement.opaque->reason;
      ++figures_.reasons[reason.substr(0, reason.find_first_of("0123456789\""))];
      if (options_.show > 100) complain("opaque", text, {reason});
      return;
    }
    ++figures_.understood;
    if (view->has_dependencies) ++figures_.with_dependencies;
    if (view->has_plan) ++figures_.with_plan;
    const auto wrong = disagreements(text, statement, *view, *context_.catalog);
    if (wrong.empty()) return;
    ++figures_.disagreeing;
    complain("disagrees", text, wrong);
  }

  /// Level two of the analysis cache: moved facts are those of a fresh analysis.
  void move(const std::string& text, const std::shared_ptr<const sql::Facts>& facts) {
    constexpr std::size_t kTokens = 50'000;
    const auto shape = sql::shape_of(text, kTokens);
    if (!shape) return;
    const auto made = sql::FactsTemplate::make(text, *shape, facts);
    if (!made) return;
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
      const std::string other = sql::test::mutate(text, shape->tokens, seed);
      const auto other_shape = sql::shape_of(other, kTokens);
      if (!other_shape || other_shape->key != shape->key) continue;
      const auto moved = made->facts_for(other, *other_shape);
      if (moved == nullptr) continue;
      ++figures_.moved;
      if (sql::test::dump(*moved) == sql::test::dump(*analyse(other))) continue;
      ++figures_.moved_wrong;
      complain("moved facts differ", other, {});
    }
  }

  void complain(const char* how, const std::string& text, const std::vector<std::string>& what) {
    if (shown_++ >= options_.show) return;
    std::printf("  %s: %s\n", how, text.c_str());
    for (const std::string& line : what) std::printf("    %s\n", line.c_str());
  }

  static double percent(std::size_t part, std::size_t whole) {
    return whole == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
  }

  void check(bool good, const char* what) {
    ++(good ? passed_ : failed_);
    std::printf("%s: %s\n", good ? "ok" : "FAILED", what);
  }

  int report() {
    const Figures& f = figures_;
    std::printf("%zu statements, %.2f %% parsed\n", f.statements, percent(f.parsed, f.statements));
    std::printf("%zu taken by the server, %.2f %% of them understood\n", f.taken,
                percent(f.understood, f.taken));
    std::printf("%zu compared by dependencies, %zu by plan; %zu disagree\n", f.with_dependencies,
                f.with_plan, f.disagreeing);
    std::printf("%zu facts moved onto mutated texts, %zu wrong\n", f.moved, f.moved_wrong);
    std::multimap<std::size_t, std::string, std::greater<>> by_count;
    for (const auto& [reason, count] : f.reasons) by_count.emplace(count, reason);
    std::size_t lines = 0;
    for (const auto& [count, reason] : by_count) {
      if (++lines > options_.show) break;
      std::printf("  opaque %zu: %s\n", count, reason.c_str());
    }
    check(f.statements >= kStatementsFloor, "statements read");
    check(percent(f.parsed, f.statements) >= kParsedFloor, "parsed");
    check(percent(f.understood, f.taken) >= kUnderstoodFloor, "understood");
    check(f.disagreeing == 0, "facts hold all that the server depends on");
    check(f.with_dependencies > 10'000 && f.with_plan > 10'000, "enough was compared");
    check(f.moved_wrong == 0, "moved facts equal fresh ones");
    check(f.moved > 30'000, "enough was moved");
    std::printf("%d passed, %d failed\n", passed_, failed_);
    return failed_ == 0 ? 0 : 1;
  }

  Options options_;
  Server server_;
  sql::AnalysisContext context_;
  sql::ParserPool pool_;
  Figures figures_;
  std::size_t shown_ = 0;
  int passed_ = 0;
  int failed_ = 0;
};

}  // namespace
}  // namespace postern::sqlcorpus

int main(int argc, char** argv) {
  postern::sqlcorpus::Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (i == 1) {
      options.conninfo = word;
    } else if (word.starts_with("--plant=")) {
      options.plant = word.substr(8);
    } else if (word.starts_with("--show=")) {
      options.show = std::strtoul(word.c_str() + 7, nullptr, 10);
    } else {
      options.scripts.push_back(word);
    }
  }
  return postern::sqlcorpus::Corpus(std::move(options)).run();
}
