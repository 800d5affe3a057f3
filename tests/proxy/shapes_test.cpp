#include "proxy/runtime/shapes.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <unistd.h>

#include <doctest/doctest.h>

#include "base/codes/gate.hpp"
#include "sql/analyzer.hpp"

using namespace postern;
using policy::Mode;
using policy::Profile;

namespace {

struct Folder {
  std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("postern_shapes_" + std::to_string(::getpid()));
  Folder() { std::filesystem::create_directory(path); }
  ~Folder() { std::filesystem::remove_all(path); }
  [[nodiscard]] std::string file(const char* name) const { return path / name; }
};

std::string judged(proxy::Shapes& shapes, const char* text, Mode mode,
                   Profile profile = Profile::kApp) {
  policy::Ruleset rules;
  rules.mode = mode;
  rules.is_protected = true;
  const auto facts = sql::analyze(text, {}, {});
  policy::Decision decision;
  shapes.judge(*facts, rules, {profile, true, true}, decision);
  return decision.refusal ? pst_label(decision.refusal->error.code) : "";
}

std::string content(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

TEST_CASE("what was learnt is let pass by mode pinned, with any literals, and nothing else") {
  const Folder folder;
  config::PolicyOptions options;
  options.learn_file.path = folder.file("learnt");
  proxy::Shapes shapes;
  REQUIRE(shapes.configure(options));
  CHECK(judged(shapes, "SELECT 1 WHERE 'a' = 'b'", Mode::kObserve) == "");
  CHECK(judged(shapes, "SELECT 2 WHERE 'x' = 'y'", Mode::kObserve) == "");
  CHECK(judged(shapes, "SELECT 3 + 4", Mode::kObserve, Profile::kMigrator) == "");
  const std::string lines = content(options.learn_file.path);
  CHECK(std::count(lines.begin(), lines.end(), '\n') == 1);
  std::filesystem::copy(options.learn_file.path, folder.file("pins"));
  options.pins_file.path = folder.file("pins");
  const auto before = shapes.generation();
  REQUIRE(shapes.configure(options));
  CHECK(shapes.generation() != before);
  CHECK(judged(shapes, "SELECT 7 WHERE 'q' = 'r'", Mode::kPinned) == "");
  CHECK(judged(shapes, "BEGIN", Mode::kPinned) == "");
  CHECK(judged(shapes, "SAVEPOINT any_name", Mode::kPinned) == "");
  CHECK(judged(shapes, "SELECT 7, 8", Mode::kPinned) == "PST-1523");
  CHECK(judged(shapes, "SELECT 7, 8", Mode::kEnforce) == "");
  CHECK(judged(shapes, "SELECT 7, 8", Mode::kPinned, Profile::kAdmin) == "");
  CHECK(judged(shapes, "SELECT 7, 8", Mode::kPinned, Profile::kTransparent) == "PST-1523");
}

TEST_CASE("a file of shapes is believed only where names and shapes agree") {
  CHECK(proxy::shape_of_line("")->empty());
  CHECK(proxy::shape_of_line("# checked by a person")->empty());
  const std::string line = proxy::shape_line("SELECT $1 -- \"x\"");
  CHECK(*proxy::shape_of_line(line) == "SELECT $1 -- \"x\"");
  std::string forged = line;
  forged.replace(forged.find("SELECT"), 6, "DELETE");
  for (const std::string& bad : {forged, std::string("nonsense"), line.substr(0, 70)}) {
    const auto shape = proxy::shape_of_line(bad);
    REQUIRE_FALSE(shape);
    CHECK(shape.error().code == pst::kPinsUnusable);
  }
  const Folder folder;
  std::ofstream(folder.file("pins")) << "# head\n" << line << "\n" << forged << "\n";
  const auto read = proxy::read_shapes(folder.file("pins"));
  REQUIRE_FALSE(read);
  CHECK(read.error().what.find(":3:") != std::string::npos);
  CHECK_FALSE(proxy::read_shapes(folder.file("absent")));
}
