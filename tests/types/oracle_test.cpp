// The C++ side of oracle.py: reads PostgreSQL's verdicts and compares ours.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "base/codes/types.hpp"
#include "types/value.hpp"

using namespace postern;
using namespace postern::types;

namespace {

constexpr std::size_t kMinCases = 100000;

/// One line: label, type, DateStyle, input, "ok" or "err", binary form or SQLSTATE, text or
/// message.
struct Case {
  std::string label;
  LogicalType type;
  Render settings;
  Bytes input;
  bool accepted = false;
  std::string first;  ///< hex of the binary form, or SQLSTATE
  Bytes second;       ///< text form, or message
};

struct Tally {
  std::size_t cases = 0;
  std::size_t accepted = 0;
  std::size_t rejected = 0;
  std::size_t refused =
      0;  ///< not understood here though PostgreSQL accepts it; label "other" only
  std::size_t wrong = 0;
};

std::vector<std::string> split_tabs(const std::string& line) {
  std::vector<std::string> fields(1);
  for (const char c : line) {
    if (c == '\t') {
      fields.emplace_back();
    } else {
      fields.back().push_back(c);
    }
  }
  return fields;
}

LogicalType type_of(const std::string& kind) {
  if (kind == "bytes") return {TypeKind::kText, 0};
  if (kind == "days") return {TypeKind::kDate, 0};
  const std::string varchar = "varchar";
  if (kind.starts_with(varchar))
    return {TypeKind::kVarchar, std::stoi(kind.substr(varchar.size()))};
  return from_name(kind).value();
}

// Hexadecimal behind an 'x', so that empty strings survive.
Bytes unhex(const std::string& field) {
  REQUIRE(field.starts_with('x'));
  return from_hex(field.substr(1)).value();
}

Case read_case(const std::string& line) {
  const auto f = split_tabs(line);
  REQUIRE(f.size() == 7);
  Case c{f[0], type_of(f[1]), {}, unhex(f[3]), f[4] == "ok", f[5], unhex(f[6])};
  REQUIRE(apply_setting(c.settings, "DateStyle", f[2]));
  return c;
}

// Whether PostgreSQL reads its own output back under the same settings: German output is day first
// whatever the order, and only ISO output knows years in front.
bool text_comes_back(const Case& c) {
  if (type_family(c.type) != TypeFamily::kDate) return true;
  const DateOrder order = c.settings.date_order;
  switch (c.settings.date_style) {
    case DateStyle::kIso:
      return true;
    case DateStyle::kGerman:
      return order == DateOrder::kDmy;
    case DateStyle::kSql:
    case DateStyle::kPostgres:
      return order != DateOrder::kYmd;
  }
  return false;
}

// The canonical value must render to PostgreSQL's text and binary, and come back from both.
bool renders_alike(const Case& c, ByteView canonical) {
  Bytes text;
  Bytes binary;
  if (!render(canonical, c.type, {Format::kText, c.settings}, text)) return false;
  if (!render(canonical, c.type, {Format::kBinary, c.settings}, binary)) return false;
  const auto from_text = parse({Format::kText, text}, c.type, c.settings);
  const auto from_binary = parse({Format::kBinary, binary}, c.type, c.settings);
  if (text_comes_back(c) && (!from_text || from_text->reveal() != canonical)) return false;
  return text == c.second && to_hex(binary) == c.first && from_binary &&
         from_binary->reveal() == canonical;
}

bool agrees_on_days(const Case& c) {
  const auto value = parse({Format::kBinary, from_hex(c.first).value()}, c.type, c.settings);
  return value && renders_alike(c, value->reveal());
}

bool agrees(const Case& c, Tally& tally) {
  const Input input{Format::kText, c.input};
  const auto value = parse(input, c.type, c.settings);
  const bool refused = !value && value.error().code == pst::kValueNotUnderstood;
  if (refused) {
    if (c.accepted) ++tally.refused;
    return c.label == "other";
  }
  if (c.accepted) return value && renders_alike(c, value->reveal());
  return !value && pst_info(value.error().code).sqlstate == c.first &&
         client_message(value.error(), input, c.type) == c.second;
}

}  // namespace

TEST_CASE("oracle: PostgreSQL agrees on every generated value" * doctest::skip()) {
  const char* path = std::getenv("POSTERN_TYPE_CASES");
  REQUIRE_MESSAGE(path != nullptr, "run tests/types/oracle.py, which makes the cases");
  std::ifstream file(path);
  REQUIRE(file.good());
  Tally tally;
  for (std::string line; std::getline(file, line);) {
    const Case c = read_case(line);
    ++tally.cases;
    ++(c.accepted ? tally.accepted : tally.rejected);
    const bool good = c.label == "days" ? agrees_on_days(c) : agrees(c, tally);
    if (good) continue;
    constexpr std::size_t kShown = 200000;
    if (++tally.wrong <= kShown) FAIL_CHECK(line << " input: " << std::string(c.input));
  }
  std::printf("oracle: %zu values, %zu accepted, %zu rejected, %zu rare forms refused, %zu wrong\n",
              tally.cases, tally.accepted, tally.rejected, tally.refused, tally.wrong);
  CHECK(tally.wrong == 0);
  CHECK(tally.cases >= kMinCases);
  CHECK(tally.accepted >= kMinCases / 2);
}
