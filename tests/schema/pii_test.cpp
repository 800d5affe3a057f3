#include "schema/pii.hpp"

#include <doctest/doctest.h>

using namespace postern::schema;

namespace {
constexpr std::string_view kToday = "2026-06-01";

std::optional<PiiKind> judge(std::vector<std::string> values, ValueClass c = ValueClass::kText) {
  return pii_by_values(values, c, kToday);
}

std::vector<std::string> times(std::size_t n, const std::string& value) {
  return std::vector<std::string>(n, value);
}
}  // namespace

TEST_CASE("names speak in words, not in substrings") {
  const auto text = [](std::string_view name) { return pii_by_name(name, ValueClass::kText); };
  for (const char* name : {"email", "Email", "user_email", "contactEmail", "e_mail", "E-Mail"}) {
    CHECK_MESSAGE(text(name) == PiiKind::kEmail, name);
  }
  CHECK(text("mobile_phone") == PiiKind::kPhone);
  CHECK(text("full_name") == PiiKind::kPersonName);
  CHECK(text("lastName") == PiiKind::kPersonName);
  CHECK(text("ssn") == PiiKind::kNationalId);
  CHECK(text("iban") == PiiKind::kBankAccount);
  CHECK(text("api_key") == PiiKind::kCredential);
  for (const char* name :
       {"name", "telephoneless", "tint", "dobermann", "lessness", "email_count", "email_verified",
        "password_hash", "phone_type", "birth_status", "mailbox_id", "", "_"}) {
    CHECK_MESSAGE(!text(name).has_value(), name);
  }
}

TEST_CASE("a name counts only where the type can hold the thing") {
  CHECK(pii_by_name("email", ValueClass::kInteger) == std::nullopt);
  CHECK(pii_by_name("email", ValueClass::kSealed) == std::nullopt);
  CHECK(pii_by_name("birth_date", ValueClass::kDate) == PiiKind::kBirthDate);
  CHECK(pii_by_name("national_id", ValueClass::kInteger) == PiiKind::kNationalId);
  CHECK(pii_by_name("phone", ValueClass::kDate) == std::nullopt);
}

TEST_CASE("types as format_type() writes them") {
  CHECK(value_class("text") == ValueClass::kText);
  CHECK(value_class("character varying(40)") == ValueClass::kText);
  CHECK(value_class("public.citext") == ValueClass::kText);
  CHECK(value_class("date") == ValueClass::kDate);
  CHECK(value_class("numeric(10,2)") == ValueClass::kInteger);
  CHECK(value_class("postern.pe1") == ValueClass::kSealed);
  CHECK(value_class("jsonb") == ValueClass::kOther);
}

TEST_CASE("recognisers") {
  CHECK(looks_like_email("a.b+c@mail.example.org"));
  for (const char* bad : {"", "@", "a@", "@b.de", "a@b", "a b@c.de", "a@b..", "a@@b.de", "a@b.c"}) {
    CHECK_MESSAGE(!looks_like_email(bad), bad);
  }
  for (const char* good : {"+49 30 1234567", "+15550100200", "(030) 123 45 67", "030 1234567",
                           "555-010-0200", "0049-30-123456"}) {
    CHECK_MESSAGE(looks_like_phone(good), good);
  }
  for (const char* bad : {"", "1234567890", "2024-01-31", "192.168.10.200", "+12345",
                          "+1234567890123456", "030 call me", "1.2.3"}) {
    CHECK_MESSAGE(!looks_like_phone(bad), bad);
  }
  CHECK(looks_like_national_id("078-05-1120"));
  CHECK(looks_like_national_id("123456789"));
  CHECK(!looks_like_national_id("12345678"));
  CHECK(!looks_like_national_id("123456789012345"));
  CHECK(!looks_like_national_id("12345678X"));
}

TEST_CASE("a column needs enough values, and most of them") {
  CHECK(!judge(times(kLeastValues - 1, "a@b.de")).has_value());
  CHECK(judge(times(kLeastValues, "a@b.de")) == PiiKind::kEmail);
  auto mixed = times(85, "a@b.de");
  for (int i = 0; i < 15; ++i) mixed.emplace_back("none");
  CHECK(judge(mixed) == PiiKind::kEmail);
  mixed.front() = "none";
  CHECK(!judge(mixed).has_value());
}

TEST_CASE("national ids have one length and seldom repeat") {
  std::vector<std::string> ids;
  for (int i = 0; i < 20; ++i) ids.push_back(std::to_string(100000000 + i));
  CHECK(judge(ids) == PiiKind::kNationalId);
  CHECK(!judge(times(20, "100000000")).has_value());
  ids.push_back("1000000000");
  CHECK(!judge(ids).has_value());
}

TEST_CASE("birth dates are long past and spread over a generation") {
  std::vector<std::string> births;
  std::vector<std::string> recent;
  std::vector<std::string> narrow;
  for (int i = 0; i < 30; ++i) {
    births.push_back(std::to_string(1950 + i) + "-03-04");
    recent.push_back(std::to_string(1997 + i) + "-03-04");
    narrow.push_back(std::to_string(2000 + i % 5) + "-03-04");
  }
  CHECK(judge(births, ValueClass::kDate) == PiiKind::kBirthDate);
  CHECK(judge(births) == PiiKind::kBirthDate);
  CHECK(!judge(recent, ValueClass::kDate).has_value());
  CHECK(!judge(narrow, ValueClass::kDate).has_value());
  CHECK(!judge(births, ValueClass::kInteger).has_value());
}
