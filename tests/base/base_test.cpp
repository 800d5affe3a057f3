#include <memory>
#include <optional>
#include <string>

#include <doctest/doctest.h>

#include "base/bytes.hpp"
#include "base/codes/config.hpp"
#include "base/codes/wire.hpp"
#include "base/error.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"

using namespace postern;

TEST_CASE("every error row has a five-character SQLSTATE and a hint") {
  for (int n = 1; n < 10000; ++n) {
    const auto row = pst_find(std::to_string(n));
    if (!row) continue;
    CAPTURE(row->name);
    CHECK(row->sqlstate.size() == 5);
    CHECK_FALSE(row->hint.empty());
    CHECK_FALSE(row->message.empty());
    CHECK(row->message.back() != '.');
  }
}

TEST_CASE("pst_find accepts label and number in any case, and nothing else") {
  CHECK(pst_find("pst-1101")->code == pst::kProtocolViolation);
  CHECK(pst_find("1101")->code == pst::kProtocolViolation);
  CHECK_FALSE(pst_find("PST-"));
  CHECK_FALSE(pst_find("1101x"));
  CHECK_FALSE(pst_find("99999999999"));
}

TEST_CASE("Error::line names code, message, particulars and hint") {
  const Error e{pst::kConfigUnknownKey, "\"prot\" at line 3", {}, 0};
  CHECK(e.line() ==
        "PST-1003 unknown configuration key: \"prot\" at line 3 (Use the nearest known key named "
        "in the message, or see docs/config.md.)");
}

TEST_CASE("TenantId holds at its limit and refuses one past it") {
  CHECK(TenantId::parse(std::string(63, 'a')));
  CHECK_FALSE(TenantId::parse(std::string(64, 'a')));
  CHECK_FALSE(TenantId::parse(""));
  CHECK_FALSE(TenantId::parse("-"));
  CHECK(TenantId::parse("--"));
  CHECK_FALSE(TenantId::parse("a b"));
  CHECK_FALSE(TenantId::parse("acm\xC3\xA9"));
  CHECK(TenantId::parse("ACME").value() != TenantId::parse("acme").value());
}

TEST_CASE("UTF-8: overlong forms, surrogates, truncation and range are refused") {
  CHECK(is_utf8("plain \xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80"));
  CHECK_FALSE(is_utf8("\xC0\xAF"));
  CHECK_FALSE(is_utf8("\xE0\x80\xAF"));
  CHECK_FALSE(is_utf8("\xED\xA0\x80"));
  CHECK_FALSE(is_utf8("\xF4\x90\x80\x80"));
  CHECK_FALSE(is_utf8("\xE2\x82"));
  CHECK_FALSE(is_utf8("\x95\x5C"));
}

TEST_CASE("hex and JSON strings") {
  CHECK(to_hex(ByteView("\x00\xff", 2)) == "00ff");
  CHECK(from_hex("00Ff").value() == Bytes("\x00\xff", 2));
  CHECK_FALSE(from_hex("0"));
  CHECK_FALSE(from_hex("0g"));
  std::string out;
  append_json_string(out, "a\"b\\\n\x1b\xff");
  CHECK(out == "\"a\\\"b\\\\\\u000a\\u001b\xEF\xBF\xBD\"");
}

TEST_CASE("nearest_word finds a typo's origin and stays silent on strangers") {
  const std::string_view words[] = {"pool_size", "pool_mode", "cluster"};
  CHECK(nearest_word("pool_sise", std::begin(words), std::end(words)) == "pool_size");
  CHECK(nearest_word("zebra", std::begin(words), std::end(words)).empty());
  CHECK(nearest_word(std::string(1 << 20, 'p'), std::begin(words), std::end(words)).empty());
}

TEST_CASE("constant-time comparison agrees with equality") {
  CHECK(equal_constant_time("abc", "abc"));
  CHECK_FALSE(equal_constant_time("abc", "abd"));
  CHECK_FALSE(equal_constant_time("abc", "ab"));
}

namespace {

Status failing() {
  return make_error(pst::kInternal, "why");
}

}  // namespace

TEST_CASE("a result is copied with its error, and keeps it") {
  const Status first = failing();
  Status second = first;
  CHECK(second.error().what == "why");
  second.error().what = "another";
  CHECK(first.error().what == "why");
  second = ok();
  CHECK(second);
  second = first;
  CHECK(second.error().what == "why");
  Result<std::string> text = std::string("value");
  CHECK(*text == "value");
  text = Result<std::string>(make_error(pst::kInternal));
  CHECK_FALSE(text);
  text = Result<std::string>(std::string("again"));
  CHECK(text.value() == "again");
}

TEST_CASE("a result that an error was moved out of is no success") {
  Status status = failing();
  const Status taken = std::move(status);
  CHECK(taken.error().what == "why");
  CHECK_FALSE(status);  // NOLINT(bugprone-use-after-move)
  Result<std::string> text = make_error(pst::kInternal);
  const Result<std::string> other = std::move(text);
  CHECK_FALSE(other);
  CHECK_FALSE(text);  // NOLINT(bugprone-use-after-move)
  status = ok();
  CHECK(status);
  Status source = failing();
  status = std::move(source);
  CHECK(status.error().what == "why");
  CHECK_FALSE(source);  // NOLINT(bugprone-use-after-move)
}

TEST_CASE("results of nothing take one word, and of an optional either of both") {
  CHECK(sizeof(Status) == sizeof(void*));
  Result<std::optional<Error>> none = std::optional<Error>();
  REQUIRE(none);
  CHECK_FALSE(none->has_value());
  const Result<std::optional<Error>> some = std::optional<Error>(make_error(pst::kInternal));
  REQUIRE(some);
  CHECK(some->has_value());
  Result<std::unique_ptr<int>> owner = std::make_unique<int>(7);
  const auto moved = std::move(owner);
  CHECK(**moved == 7);
}
