#include <limits>

#include <doctest/doctest.h>

#include "base/codes/wall.hpp"
#include "policy/context_token.hpp"
#include "policy/glob.hpp"
#include "policy/tenant_type.hpp"
#include "tests/policy/policy_fixture.hpp"

using namespace postern;
using policy::ContextFields;

namespace {

ContextFields fields() {
  ContextFields out;
  out.database = 16390;
  out.kid = "0badc0de";
  out.tenant = *TenantId::parse("acme");
  out.subject = "a.b";
  out.roles = {"x", "y,z"};
  out.backend_pid = 4711;
  out.backend_start_us = 1'700'000'000'123'456;
  out.expiry_us = 1'700'000'300'000'000;
  return out;
}

template <typename Change>
bool refused(Change change) {
  ContextFields changed = fields();
  change(changed);
  const auto result = policy::build_context(changed);
  return !result && result.error().code == pst::kBadContext;
}

}  // namespace

TEST_CASE("the message has its documented form") {
  CHECK(*policy::build_context(fields()) ==
        "pctx1.16390.0badc0de.61636d65.612e62.78,792c7a.4711.1700000000123456.1700000300000000");
  ContextFields none = fields();
  none.tenant = TenantId::none();
  none.subject = "";
  none.roles = {};
  CHECK(*policy::build_context(none) ==
        "pctx1.16390.0badc0de....4711.1700000000123456.1700000300000000");
}

TEST_CASE("limits of fields, and one past them") {
  CHECK_FALSE(refused([](auto& f) { f.subject = std::string(255, 's'); }));
  CHECK(refused([](auto& f) { f.subject = std::string(256, 's'); }));
  CHECK(refused([](auto& f) { f.subject = "\xff"; }));
  CHECK(refused([](auto& f) { f.subject = std::string("a\0b", 3); }));
  CHECK_FALSE(refused([](auto& f) { f.roles.assign(64, std::string(63, 'r')); }));
  CHECK(refused([](auto& f) { f.roles.assign(65, "r"); }));
  CHECK(refused([](auto& f) { f.roles = {std::string(64, 'r')}; }));
  CHECK(refused([](auto& f) { f.roles = {""}; }));
  CHECK_FALSE(refused([](auto& f) { f.kid = std::string(32, 'a'); }));
  CHECK(refused([](auto& f) { f.kid = std::string(33, 'a'); }));
  CHECK(refused([](auto& f) { f.kid = "abcdef0"; }));
  CHECK(refused([](auto& f) { f.kid = "ABCDEF01"; }));
  CHECK(refused([](auto& f) { f.database = 0; }));
  CHECK(refused([](auto& f) { f.backend_pid = 0; }));
  CHECK(refused([](auto& f) { f.backend_start_us = 0; }));
  CHECK(refused([](auto& f) { f.expiry_us = -1; }));
}

TEST_CASE("only a message takes a MAC, and only a MAC is taken") {
  const std::string message = *policy::build_context(fields());
  const std::string mac(64, 'a');
  CHECK(*policy::attach_mac(message, mac) == message + "." + mac);
  CHECK_FALSE(policy::attach_mac(message, mac.substr(1)));
  CHECK_FALSE(policy::attach_mac(message, std::string(64, 'A')));
  CHECK_FALSE(policy::attach_mac(message + ".x", mac));
  CHECK_FALSE(policy::attach_mac("", mac));
}

TEST_CASE("a context is renewed from half of its life on") {
  CHECK_FALSE(policy::past_half_life(1000, 2000, 1000));
  CHECK_FALSE(policy::past_half_life(1000, 2000, 1499));
  CHECK(policy::past_half_life(1000, 2000, 1500));
  CHECK(policy::past_half_life(1000, 2000, 5000));
  CHECK(policy::past_half_life(1000, 2000, 999));  // the clock went back
  CHECK(policy::past_half_life(1000, 1000, 1000));
  constexpr std::int64_t kFirst = std::numeric_limits<std::int64_t>::min();
  constexpr std::int64_t kLast = std::numeric_limits<std::int64_t>::max();
  CHECK_FALSE(policy::past_half_life(kFirst, kLast, -2));
  CHECK(policy::past_half_life(kFirst, kLast, -1));
}

TEST_CASE("one spelling of each tenant per type") {
  using policy::TenantType;
  const auto fits = [](const char* text, TenantType type) {
    return policy::check_tenant(*TenantId::parse(text), type).has_value();
  };
  CHECK(fits("007", TenantType::kText));
  CHECK(fits("7", TenantType::kInt4));
  CHECK(fits("-7", TenantType::kInt4));
  CHECK_FALSE(fits("007", TenantType::kInt4));
  CHECK_FALSE(fits("-0", TenantType::kInt4));
  CHECK_FALSE(fits("7.0", TenantType::kInt8));
  CHECK(fits("32767", TenantType::kInt2));
  CHECK_FALSE(fits("32768", TenantType::kInt2));
  CHECK(fits("2147483648", TenantType::kInt8));
  CHECK_FALSE(fits("2147483648", TenantType::kInt4));
  CHECK(fits("00000000-0000-4000-8000-00000000000a", TenantType::kUuid));
  CHECK_FALSE(fits("00000000-0000-4000-8000-00000000000A", TenantType::kUuid));
  CHECK_FALSE(fits("0000000000004000800000000000000a", TenantType::kUuid));
  CHECK(policy::check_tenant(TenantId::none(), TenantType::kUuid).has_value());
  CHECK(policy::tenant_type(*test::catalog(), 1043) == TenantType::kText);
  CHECK_FALSE(policy::tenant_type(*test::catalog(), 790));
  CHECK_FALSE(policy::tenant_type(*test::catalog(), 19000));  // a domain over bytea
}

TEST_CASE("globs") {
  using policy::glob_match;
  CHECK(glob_match("public.*", "public.users"));
  CHECK(glob_match("*", ""));
  CHECK(glob_match("a?c", "abc"));
  CHECK_FALSE(glob_match("a?c", "ac"));
  CHECK(glob_match("*_log_*", "a_log_b_log_c"));
  CHECK_FALSE(glob_match("*_log", "a_log_b"));
  CHECK_FALSE(glob_match("Public.*", "public.users"));
  CHECK_FALSE(glob_match("", "a"));
  CHECK_FALSE(glob_match(std::string(200, '*') + "b", std::string(2000, 'a')));
}
