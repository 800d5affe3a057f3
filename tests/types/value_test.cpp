#include "types/value.hpp"

#include <doctest/doctest.h>

#include "base/codes/types.hpp"
#include "types/date.hpp"

using namespace postern;
using namespace postern::types;

namespace {

const Render kDefaults;

LogicalType type(std::string_view name) {
  return from_name(name).value();
}

Bytes canonical(std::string_view type_name, ByteView text, Format format = Format::kText) {
  const auto value = parse({format, text}, type(type_name), kDefaults);
  REQUIRE(value);
  return Bytes(value->reveal());
}

Bytes rendered(std::string_view type_name, ByteView value, Format format = Format::kText,
               const Render& settings = kDefaults) {
  Bytes out;
  REQUIRE(render(value, type(type_name), {format, settings}, out));
  return out;
}

Pst error_of(std::string_view type_name, ByteView text, Format format = Format::kText) {
  const auto value = parse({format, text}, type(type_name), kDefaults);
  REQUIRE_FALSE(value);
  return value.error().code;
}

std::string message_of(std::string_view type_name, ByteView text) {
  const Input input{Format::kText, text};
  return client_message(parse(input, type(type_name), kDefaults).error(), input, type(type_name));
}

Bytes hex(std::string_view digits) {
  return from_hex(digits).value();
}

}  // namespace

TEST_CASE("canonical forms are the documented ones") {
  CHECK(canonical("int2", "-2") == hex("fffffffffffffffe"));
  CHECK(canonical("int4", "258") == hex("0000000000000102"));
  CHECK(canonical("int8", "9223372036854775807") == hex("7fffffffffffffff"));
  CHECK(canonical("uuid", "{A0EEBC99-9c0b4ef8-bb6d6bb9-bd380a11}") ==
        hex("a0eebc999c0b4ef8bb6d6bb9bd380a11"));
  CHECK(canonical("date", "2000-01-02") == hex("00000001"));
  CHECK(canonical("date", "1999-12-31") == hex("ffffffff"));
  CHECK(canonical("date", "infinity") == hex("7fffffff"));
  CHECK(canonical("date", "-infinity") == hex("80000000"));
  CHECK(canonical("text", "caf\xC3\xA9 ") == "caf\xC3\xA9 ");
}

TEST_CASE("one family, one canonical form: equal numbers are equal bytes whatever their width") {
  CHECK(canonical("int2", "7") == canonical("int8", "7"));
  CHECK(canonical("int4", hex("fffffff9"), Format::kBinary) == canonical("int2", " -7"));
  CHECK(canonical("varchar(5)", "ab") == canonical("text", "ab"));
}

TEST_CASE("binary parameters: round trips, and lengths one short and one long") {
  struct Row {
    const char* type;
    const char* binary;
  };
  const Row rows[] = {{"int2", "8000"},
                      {"int2", "7fff"},
                      {"int4", "80000000"},
                      {"int4", "00000001"},
                      {"int8", "8000000000000000"},
                      {"int8", "0102030405060708"},
                      {"uuid", "a0eebc999c0b4ef8bb6d6bb9bd380a11"},
                      {"date", "00000000"},
                      {"date", "7fffffff"},
                      {"date", "80000000"},
                      {"date", "ffda97a7"}};  // the first day
  for (const Row& row : rows) {
    CAPTURE(row.type);
    CAPTURE(row.binary);
    const Bytes binary = hex(row.binary);
    const Bytes value = canonical(row.type, binary, Format::kBinary);
    CHECK(rendered(row.type, value, Format::kBinary) == binary);
    CHECK(canonical(row.type, rendered(row.type, value)) == value);
    CHECK(error_of(row.type, ByteView(binary).substr(1), Format::kBinary) ==
          pst::kShortBinaryValue);
    CHECK(error_of(row.type, binary + "x", Format::kBinary) == pst::kInvalidBinaryValue);
    CHECK(error_of(row.type, "", Format::kBinary) == pst::kShortBinaryValue);
  }
  CHECK(rendered("text", canonical("text", "a b", Format::kBinary), Format::kBinary) == "a b");
}

TEST_CASE("integers hold at their limits and are refused one past them") {
  CHECK(rendered("int2", canonical("int2", "32767")) == "32767");
  CHECK(rendered("int2", canonical("int2", "-32768")) == "-32768");
  CHECK(error_of("int2", "32768") == pst::kNumberOutOfRange);
  CHECK(error_of("int2", "-32769") == pst::kNumberOutOfRange);
  CHECK(rendered("int4", canonical("int4", "-2147483648")) == "-2147483648");
  CHECK(error_of("int4", "2147483648") == pst::kNumberOutOfRange);
  CHECK(rendered("int8", canonical("int8", "-9223372036854775808")) == "-9223372036854775808");
  CHECK(error_of("int8", "9223372036854775808") == pst::kNumberOutOfRange);
  CHECK(error_of("int8", "-9223372036854775809") == pst::kNumberOutOfRange);
}

TEST_CASE("dates hold at their limits and are refused one past them") {
  CHECK(rendered("date", canonical("date", "4714-11-24 BC")) == "4714-11-24 BC");
  CHECK(error_of("date", "4714-11-23 BC") == pst::kDateOutOfRange);
  CHECK(rendered("date", canonical("date", "5874897-12-31")) == "5874897-12-31");
  CHECK(error_of("date", "5874898-01-01") == pst::kDateOutOfRange);
  Bytes binary;
  append_be32(binary, static_cast<std::uint32_t>(kFirstDate - 1));
  CHECK(error_of("date", binary, Format::kBinary) == pst::kDateOutOfRange);
  binary.clear();
  append_be32(binary, static_cast<std::uint32_t>(kLastDate + 1));
  CHECK(error_of("date", binary, Format::kBinary) == pst::kDateOutOfRange);
}

TEST_CASE("the calendar: every day of eight centuries follows the one before") {
  CHECK(days_from_civil({2000, 1, 1}) == 0);
  CHECK(days_from_civil({1970, 1, 1}) == -10957);
  CivilDay day = civil_from_days(days_from_civil({-399, 1, 1}));
  for (std::int64_t n = days_from_civil({-399, 1, 1}); n < days_from_civil({401, 1, 1}); ++n) {
    const CivilDay actual = civil_from_days(n);
    REQUIRE(actual.year == day.year);
    REQUIRE(actual.month == day.month);
    REQUIRE(actual.day == day.day);
    REQUIRE(days_from_civil(actual) == n);
    if (++day.day > days_in_month(day.year, day.month)) {
      day.day = 1;
      if (++day.month > 12) {
        day.month = 1;
        ++day.year;
      }
    }
  }
}

TEST_CASE("dates that depend on the clock or on names of zones are refused, not guessed") {
  for (const char* text : {"now", "Today", " tomorrow ", "yesterday", "J2451187", "1999.008",
                           "2024-01-01 04:05 Europe/Paris", "Fri Jan 08 1999", "+infinity"}) {
    CAPTURE(text);
    CHECK(error_of("date", text) == pst::kValueNotUnderstood);
  }
  CHECK(error_of("date", std::string(1000, '1')) == pst::kValueNotUnderstood);
}

TEST_CASE("dates are read and written in the session's style") {
  Render settings;
  REQUIRE(apply_setting(settings, "DateStyle", "SQL, DMY"));
  const auto value = parse({Format::kText, "8/1/1999"}, type("date"), settings);
  REQUIRE(value);
  CHECK(rendered("date", value->reveal()) == "1999-01-08");
  CHECK(rendered("date", value->reveal(), Format::kText, settings) == "08/01/1999");
  REQUIRE(apply_setting(settings, "datestyle", "German, DMY"));
  CHECK(rendered("date", value->reveal(), Format::kText, settings) == "08.01.1999");
}

TEST_CASE("varchar(n) counts characters, cuts spaces only, and operands have no limit") {
  const std::string euros = "\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC";
  CHECK(canonical("varchar(3)", euros) == euros);
  CHECK(canonical("varchar(3)", euros + "   ") == euros);
  CHECK(canonical("varchar(3)", "a ") == "a ");
  CHECK(error_of("varchar(2)", euros) == pst::kStringTooLong);
  CHECK(error_of("varchar(3)", euros + " x") == pst::kStringTooLong);
  const auto operand =
      parse({Format::kText, "abcdef"}, operand_type(type("varchar(3)")), kDefaults);
  REQUIRE(operand);
  CHECK(operand->reveal() == "abcdef");
}

TEST_CASE("messages are PostgreSQL's own; errors themselves never hold the value") {
  CHECK(message_of("int4", "se\"cret") == "invalid input syntax for type integer: \"se\"cret\"");
  CHECK(message_of("int2", "99999") == "value \"99999\" is out of range for type smallint");
  CHECK(message_of("varchar(3)", "secret") == "value too long for type character varying(3)");
  CHECK(message_of("date", "2023-02-30") == "date/time field value out of range: \"2023-02-30\"");
  CHECK(message_of("text", "a\xE2\x82") ==
        "invalid byte sequence for encoding \"UTF8\": 0xe2 0x82");
  CHECK(message_of("int4", ByteView("1\0", 2)) ==
        "invalid byte sequence for encoding \"UTF8\": 0x00");
  for (const char* name : {"int2", "int8", "uuid", "date", "varchar(3)"}) {
    const auto value = parse({Format::kText, "secret"}, type(name), kDefaults);
    REQUIRE_FALSE(value);
    CHECK(value.error().line().find("secret") == std::string::npos);
  }
}

TEST_CASE("a month out of range brings PostgreSQL's hint") {
  const auto value = parse({Format::kText, "13/13/2020"}, type("date"), kDefaults);
  CHECK(value.error().effective_hint() == "Perhaps you need a different \"datestyle\" setting.");
  const auto day = parse({Format::kText, "2/30/2020"}, type("date"), kDefaults);
  CHECK(day.error().hint.empty());
}

TEST_CASE("text with NUL or broken UTF-8 is refused in both formats, as is another encoding") {
  for (const Format format : {Format::kText, Format::kBinary}) {
    CHECK(error_of("text", ByteView("a\0b", 3), format) == pst::kBadCharacter);
    CHECK(error_of("varchar(9)", "\xC0\x80", format) == pst::kBadCharacter);
    CHECK(error_of("text", "\xED\xA0\x80", format) == pst::kBadCharacter);
  }
  Render latin;
  CHECK(apply_setting(latin, "client_encoding", "LATIN1").error().code ==
        pst::kSettingNotSupported);
  CHECK(parse({Format::kText, "x"}, type("text"), latin).error().code == pst::kSettingNotSupported);
  Bytes out;
  CHECK(render("x", type("text"), {Format::kText, latin}, out).error().code ==
        pst::kSettingNotSupported);
  REQUIRE(apply_setting(latin, "client_encoding", "UTF8"));
  CHECK(render("x", type("text"), {Format::kText, latin}, out));
}

TEST_CASE("bytes that are no canonical form of the type are refused and leave the output alone") {
  struct Row {
    const char* type;
    Bytes bytes;
  };
  const Row rows[] = {{"int4", "short"},
                      {"int4", hex("0000000080000000")},
                      {"int2", hex("0000000000008000")},
                      {"int8", Bytes(9, '\0')},
                      {"uuid", Bytes(15, '\0')},
                      {"uuid", Bytes(17, '\0')},
                      {"date", Bytes(3, '\0')},
                      {"date", hex("7ffffffe")}};
  for (const Row& row : rows) {
    for (const Format format : {Format::kText, Format::kBinary}) {
      Bytes out = "kept";
      const Status status = render(row.bytes, type(row.type), {format, kDefaults}, out);
      REQUIRE_FALSE(status);
      CHECK(status.error().code == pst::kBadCanonicalValue);
      CHECK(out == "kept");
    }
  }
}
