// What is told, and when it is told again. Delivery: tests/integration/test_alerts.py.
#include "proxy/alerts/alerts.hpp"

#include <string>

#include <doctest/doctest.h>

#include "base/codes/gate.hpp"
#include "crypto/init.hpp"
#include "proxy/alerts/dedupe.hpp"
#include "proxy/alerts/webhook.hpp"

using namespace postern;
using namespace postern::proxy;
using std::chrono::milliseconds;

TEST_CASE("the same rule and fingerprint is told once in its time") {
  AlertDedupe dedupe(milliseconds(100));
  const AlertDedupe::Time start{std::chrono::hours(1)};
  CHECK(dedupe.admit("a", "1", start) == 0u);
  CHECK_FALSE(dedupe.admit("a", "1", start + milliseconds(99)));
  CHECK(dedupe.admit("a", "2", start) == 0u);
  CHECK(dedupe.admit("b", "1", start) == 0u);
  CHECK_FALSE(dedupe.admit("a", "1", start + milliseconds(99)));
  CHECK(dedupe.admit("a", "1", start + milliseconds(100)) == 2u);
  CHECK(dedupe.admit("a", "1", start + milliseconds(300)) == 0u);
}

TEST_CASE("what is remembered is bounded, and beyond it one is told for all") {
  AlertDedupe dedupe(milliseconds(100));
  const AlertDedupe::Time start{std::chrono::hours(1)};
  for (std::size_t i = 0; i < AlertDedupe::kMaxKeys; ++i) {
    CHECK(dedupe.admit("a", std::to_string(i), start));
  }
  CHECK(dedupe.admit("a", "one more", start) == 0u);
  CHECK_FALSE(dedupe.admit("a", "and another", start + milliseconds(99)));
  CHECK(dedupe.remembered() == AlertDedupe::kMaxKeys);
  CHECK(dedupe.admit("a", "later", start + milliseconds(100)) == 0u);
  CHECK(dedupe.remembered() == 1);
}

TEST_CASE("an alert is one JSON object of names, never of particulars") {
  Alert alert;
  alert.rule = "gate.setting";
  alert.code = pst::kSettingNotAllowed;
  alert.fingerprint = "0123456789abcdef";
  alert.login = "bad\xff\"\n";
  alert.time_us = 1'700'000'000'123'456;
  alert.repeated = 3;
  const std::string json = alert_json(alert, "host");
  CHECK(json.find("\"time\":\"2023-11-14T22:13:20.123Z\"") != std::string::npos);
  CHECK(json.find("\"rule\":\"gate.setting\"") != std::string::npos);
  CHECK(json.find("\"code\":\"PST-1503\"") != std::string::npos);
  CHECK(json.find("\"repeated\":3") != std::string::npos);
  CHECK(json.find("tenant\"") == std::string::npos);
  for (const char c : json) CHECK((c >= ' ' && c < 0x7f));
}

TEST_CASE("rules are counted by name up to a limit") {
  const std::uint64_t before = alert_counts().by_rule["(others)"];
  for (std::size_t i = 0; i < kMaxAlertRules + 5; ++i) {
    Alert alert;
    alert.rule = "test.rule" + std::to_string(i);
    alert.code = pst::kSettingNotAllowed;
    raise_alert(std::move(alert));
  }
  const AlertCounts counts = alert_counts();
  CHECK(counts.by_rule.size() <= kMaxAlertRules + 1);
  CHECK(counts.by_rule.at("(others)") >= before + 5);
}

TEST_CASE("the signature is HMAC-SHA-256 over time and body") {
  REQUIRE(crypto::init());
  // printf '1700000000.{}' | openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef
  CHECK(Webhook::signature(Secret("0123456789abcdef0123456789abcdef"), 1'700'000'000, "{}") ==
        "t=1700000000,v1=417adf36b901772f658597a76d329694e335e65fc0849d7715c3ca33406309b5");
}
