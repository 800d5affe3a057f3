#include "audit/search.hpp"

#include <nlohmann/json.hpp>

#include "tests/audit/support.hpp"

using namespace postern;
using namespace postern::audit;
using namespace postern::audit::test;

namespace {

struct Found {
  std::vector<nlohmann::json> lines;
  VerifyReport report;
};

Found search(const Scene& scene, const SearchFilter& filter) {
  Found found;
  found.report = search_log(
      {scene.options.folder, scene.key(), scene.options.anchor_file}, filter,
      [&](const std::string& line) { found.lines.push_back(nlohmann::json::parse(line)); });
  return found;
}

std::vector<std::uint64_t> indices(const Found& found) {
  std::vector<std::uint64_t> all;
  for (const auto& line : found.lines) all.push_back(line["idx"]);
  return all;
}

// Records 0 start, 1 checkpoint, then as below, then stop.
void write_story(Scene& scene) {
  auto log = scene.open();
  Intent acme = sample_intent(1);
  acme.time_us = 1'000;
  const auto first = append_durably(*log, encode_intent(acme));  // 2
  Intent globex = sample_intent(2);
  globex.who.tenant = "globex";
  globex.who.login = "other";
  globex.time_us = 2'000;
  static const RelationUse orders[] = {{7, "sales.orders", {}, {}}};
  globex.what.relations = orders;
  const auto second = append_durably(*log, encode_intent(globex));  // 3
  Outcome outcome = sample_outcome();
  outcome.time_us = 3'000;
  append_durably(*log, encode_outcome(outcome, first));  // 4
  outcome.sqlstate = "23505";
  append_durably(*log, encode_outcome(outcome, second));  // 5
  acme.decision = {"refuse", "wall", "PST-1501", 3};
  append_durably(*log, encode_refusal(acme));  // 6
  REQUIRE(log->stop());
}

}  // namespace

TEST_CASE("search finds by tenant, login, table, code, kind and time") {
  Scene scene;
  write_story(scene);
  using Indices = std::vector<std::uint64_t>;
  CHECK(indices(search(scene, {})).size() == 8);
  CHECK(indices(search(scene, {.tenant = "acme"})) == Indices{2, 4, 6});
  CHECK(indices(search(scene, {.tenant = "globex"})) == Indices{3, 5});
  CHECK(indices(search(scene, {.login = "other"})) == Indices{3, 5});
  CHECK(indices(search(scene, {.table = "sales.orders"})) == Indices{3, 5});
  CHECK(indices(search(scene, {.table = "orders"})) == Indices{3, 5});
  CHECK(indices(search(scene, {.table = "public.orders"})).empty());
  CHECK(indices(search(scene, {.code = "PST-1501"})) == Indices{6});
  CHECK(indices(search(scene, {.code = "23505"})) == Indices{5});
  CHECK(indices(search(scene, {.kind = Kind::kOutcome})) == Indices{4, 5});
  CHECK(indices(search(scene, {.tenant = "acme", .kind = Kind::kOutcome})) == Indices{4});
  CHECK(indices(search(scene, {.from_us = 2'000, .until_us = 3'000})) == Indices{3});
}

TEST_CASE("every line carries origin, index and the leaf hash of its record") {
  Scene scene;
  write_story(scene);
  const Bytes segment = slurp(scene.segments()[0]);
  for (const auto& line : search(scene, {}).lines) {
    CHECK(line["origin"] == scene.options.origin);
    const std::string stored = line["record"].dump();
    CHECK(segment.find(stored) != std::string::npos);
    CHECK(line["leaf"] == hex_of(leaf_hash(stored)));
  }
}

TEST_CASE("text from SQL never reaches a terminal unescaped") {
  Scene scene;
  {
    auto log = scene.open();
    Intent intent = sample_intent();
    intent.what.text = "SELECT '\x1b[2J\x7f\xC2\x9B\xE2\x80\xAE\xF0\x9F\x98\x80' \n\xFF";
    append_durably(*log, encode_refusal(intent));
    REQUIRE(log->stop());
  }
  std::string shown;
  search_log({scene.options.folder, scene.key(), ""}, {.kind = Kind::kRefusal},
             [&](const std::string& line) { shown = line; });
  REQUIRE_FALSE(shown.empty());
  for (const char c : shown) CHECK((c >= ' ' && c <= '~'));
  CHECK(nlohmann::json::parse(shown)["record"]["rec"]["what"]["text"] ==
        "SELECT '\x1b[2J\x7f\xC2\x9B\xE2\x80\xAE\xF0\x9F\x98\x80' \n\xEF\xBF\xBD");
}

TEST_CASE("a filtered view cannot hide a break") {
  Scene scene;
  write_story(scene);
  const std::string path = scene.segments()[0];
  Bytes content = slurp(path);
  const std::size_t at = content.find("globex");
  content[at] = 'G';
  write_file(path, content);
  const auto found = search(scene, {.tenant = "acme"});
  CHECK_FALSE(found.report.intact());
}

TEST_CASE("hostile records are skipped, not trusted") {
  Scene scene;
  write_story(scene);
  // Whole lines with right checksums, whose content no log would write.
  std::string out = slurp(scene.segments()[0]);
  for (const char* body : {R"({"who":7,"what":{"relations":[1,{"name":2}]},"t":"x","ref":[]})",
                           R"({"what":[],"outcome":3,"decision":{"code":{}}})"}) {
    std::string json;
    write_envelope(json, 9, {}, {Kind::kOutcome, body});
    append_frame(out, FrameType::kRecord, json, leaf_hash(json));
  }
  write_file(scene.segments()[0], out);
  for (const SearchFilter& filter :
       {SearchFilter{.tenant = "x"}, SearchFilter{.table = "x"}, SearchFilter{.code = "x"}}) {
    const auto found = search(scene, filter);
    CHECK(found.lines.empty());
    CHECK_FALSE(found.report.intact());
  }
}
