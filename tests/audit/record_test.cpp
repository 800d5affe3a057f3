#include <nlohmann/json.hpp>

#include "audit/json.hpp"
#include "tests/audit/support.hpp"

using namespace postern;
using namespace postern::audit;
using namespace postern::audit::test;

namespace {

std::string encoded(std::string_view text, std::size_t limit) {
  std::string out;
  append_canonical_string(out, text, limit);
  return out;
}

// nlohmann writes sorted keys, no blanks and RFC 8785 escapes: a second encoder to agree with.
void check_canonical(const EncodedRecord& record) {
  const auto value = nlohmann::json::parse(record.body, nullptr, false);
  REQUIRE(value.is_object());
  CHECK(value.dump() == record.body);
  CHECK(record.body.find('\n') == std::string::npos);
}

}  // namespace

TEST_CASE("canonical strings: escapes of RFC 8785, and no byte that is not UTF-8") {
  CHECK(encoded("a\"b\\c/\b\t\n\f\r", 100) == R"("a\"b\\c/\b\t\n\f\r")");
  CHECK(encoded(std::string_view("\0\x1f\x7f", 3), 100) == "\"\\u0000\\u001f\x7f\"");
  CHECK(encoded("\xC3\xA9\xF0\x9F\x98\x80", 100) == "\"\xC3\xA9\xF0\x9F\x98\x80\"");
  CHECK(encoded("x\xFFy\xC3", 100) == "\"x\xEF\xBF\xBDy\xEF\xBF\xBD\"");
  CHECK(encoded("\xED\xA0\x80", 100).size() == 2 + 9);  // a surrogate is three wrong bytes
}

TEST_CASE("canonical strings keep their limit, cut at a character and say so") {
  std::string out;
  CHECK_FALSE(append_canonical_string(out, std::string(20, 'a'), 20));
  CHECK(out == "\"" + std::string(20, 'a') + "\"");
  out.clear();
  CHECK(append_canonical_string(out, std::string(21, 'a'), 20));
  CHECK(out == "\"" + std::string(20 - kCutMarker.size(), 'a') + std::string(kCutMarker) + "\"");
  for (std::size_t limit = 10; limit < 60; ++limit) {
    const std::string cut = encoded(
        "ab\n\"\xE2\x82\xAC\x01z\xF0\x9F\x98\x80qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq", limit);
    CAPTURE(limit);
    CHECK(cut.size() <= limit + 2);
    CHECK(nlohmann::json::accept(cut));
  }
}

TEST_CASE("integers saturate at 2^53-1, keys must be sorted") {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.field("a", std::uint64_t{1} << 60);
  json.field("b", std::int64_t{-5});
  json.field_if("c", std::uint64_t{0});
  json.end_object();
  CHECK(out == R"({"a":9007199254740991,"b":-5})");
}

TEST_CASE("every kind of record is canonical JSON") {
  check_canonical(encode_intent(sample_intent()));
  check_canonical(encode_outcome(sample_outcome(), 7));
  check_canonical(encode_statement(sample_intent(), sample_outcome()));
  check_canonical(encode_refusal(sample_intent()));
  SessionEvent session{"s-1", 5, sample_intent().who, "db", "scram", false, "28P01", 9};
  for (const Kind kind : {Kind::kSessionOpen, Kind::kSessionClose, Kind::kAuth}) {
    check_canonical(encode_session(kind, session));
  }
  const std::pair<std::string_view, std::string_view> details[] = {{"z", "1"}, {"a", "\x01"}};
  for (const Kind kind : {Kind::kAdmin, Kind::kConfig, Kind::kKey, Kind::kPolicy, Kind::kGap}) {
    check_canonical(encode_event(kind, {5, "root", "changed", details}));
  }
}

TEST_CASE("a statement's record says who, what, where, decision and outcome") {
  const auto body =
      nlohmann::json::parse(encode_statement(sample_intent(4), sample_outcome()).body);
  CHECK(body["who"]["login"] == "app");
  CHECK(body["who"]["tenant"] == "acme");
  CHECK(body["who"]["application"] == "billing");
  CHECK(body["who"]["address"] == "192.0.2.7:50000");
  CHECK(body["what"]["operation"] == "SELECT");
  CHECK(body["what"]["relations"][0]["oid"] == 16385);
  CHECK(body["what"]["relations"][0]["read"] == nlohmann::json({"id", "email"}));
  CHECK(body["what"]["decrypted"][0] == "public.users.email");
  CHECK(body["decision"]["verdict"] == "allow");
  CHECK(body["decision"]["policy_version"] == 3);
  CHECK(body["outcome"]["rows"] == 1);
  CHECK(body["outcome"]["latency_us"]["upstream"] == 700);
  CHECK(body["statement"] == 4);
}

TEST_CASE("a text over its limit keeps length and hash") {
  Intent intent = sample_intent();
  const std::string at_limit(kMaxTextBytes, 'x');
  intent.what.text = at_limit;
  auto body = nlohmann::json::parse(encode_intent(intent).body);
  CHECK(body["what"]["text"] == at_limit);
  CHECK_FALSE(body["what"].contains("text_bytes"));
  const std::string past_limit = at_limit + "y";
  intent.what.text = past_limit;
  body = nlohmann::json::parse(encode_intent(intent).body);
  CHECK(body["what"]["text"].get<std::string>().ends_with(kCutMarker));
  CHECK(body["what"]["text_bytes"] == kMaxTextBytes + 1);
  CHECK(body["what"]["text_sha256"] == hex_of(sha256({past_limit})));
}

TEST_CASE("a record with everything at its worst stays below 65,535 bytes") {
  const std::string wild(100'000, '\x01');
  const std::vector<std::string_view> names(2'000, wild);
  const std::vector<RelationUse> relations(500, RelationUse{4'294'967'295, wild, names, names});
  Intent intent;
  intent.session = wild;
  intent.statement = intent.catalog_epoch = ~0ULL;
  intent.time_us = kMaxJsonInteger;
  intent.who = {wild, wild, wild, wild, wild, wild, wild};
  intent.what = {wild, wild, wild, true, relations, names, names};
  intent.where = {wild, wild, wild};
  intent.decision = {wild, wild, wild, ~0ULL};
  Outcome outcome{
      State::kCancelled,           kMaxJsonInteger, ~0ULL, ~0ULL, wild, wild, {wild, wild, wild},
      {~0ULL, ~0ULL, ~0ULL, ~0ULL}};
  for (const auto& record :
       {encode_statement(intent, outcome), encode_intent(intent), encode_outcome(outcome, ~0ULL)}) {
    CHECK(record.body.size() <= kMaxBodyBytes);
    check_canonical(record);
  }
  const auto body = nlohmann::json::parse(encode_intent(intent).body);
  const auto& what = body["what"];
  CHECK(what["relations"].size() + what["relations_left_out"].get<std::size_t>() == 500);
  CHECK(what["masked"].size() + what["masked_left_out"].get<std::size_t>() == 2'000);

  const std::vector<std::pair<std::string_view, std::string_view>> details(40, {wild, wild});
  const auto event = encode_event(Kind::kAdmin, {1, wild, wild, details});
  CHECK(event.body.size() <= kMaxBodyBytes);
  CHECK(nlohmann::json::parse(event.body)["details"].size() == kMaxDetails);
}

TEST_CASE("kinds have distinct names that lead back") {
  for (int k = 0; k <= static_cast<int>(Kind::kPolicy); ++k) {
    CHECK(kind_from_name(kind_name(static_cast<Kind>(k))) == static_cast<Kind>(k));
  }
  CHECK_FALSE(kind_from_name("nothing"));
}

TEST_CASE("frames: one spelling only, whole or nothing") {
  std::string envelope;
  write_envelope(envelope, 42, sha256({"x"}), encode_outcome(sample_outcome(), 41));
  std::string line;
  append_frame(line, FrameType::kRecord, envelope, leaf_hash(envelope));
  const std::string followed = line + "rest";
  const auto frame = parse_frame(followed);
  REQUIRE(frame);
  CHECK(frame->size == line.size());
  const auto record = parse_envelope(frame->json);
  REQUIRE(record);
  CHECK(record->index == 42);
  CHECK(record->kind == Kind::kOutcome);
  CHECK(record->prev == hex_of(sha256({"x"})));
  CHECK(outcome_ref(record->body) == 41);
  for (std::size_t n = 0; n < line.size(); ++n) CHECK_FALSE(parse_frame(line.substr(0, n)));
  for (std::size_t i = 0; i < line.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string bad = line;
      bad[i] = static_cast<char>(bad[i] ^ (1 << bit));
      const auto parsed = parse_frame(bad);
      // Only the type letter may change into another valid one.
      if (parsed) CHECK((i == 0 && parsed->type != FrameType::kRecord));
    }
  }
}
