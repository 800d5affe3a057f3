#include "schema/health.hpp"

#include <algorithm>

#include <doctest/doctest.h>

using namespace postern::schema;

namespace {

NodeFacts good_facts() {
  NodeFacts out;
  out.version = 150020;
  out.version_text = "15.20";
  out.settings = {{"password_encryption", "scram-sha-256"},
                  {"wal_level", "replica"},
                  {"hot_standby", "on"},
                  {"log_parameter_max_length_on_error", "0"},
                  {"row_security", "on"},
                  {"max_connections", "100"},
                  {"superuser_reserved_connections", "3"},
                  {"ssl", "on"}};
  out.service_role = "svc";
  out.reads_stats = true;
  out.roles = {{"app", false, false, false, false}};
  return out;
}

NodeNeeds needs() {
  NodeNeeds out;
  out.where = "node x";
  out.nodes = 2;
  out.pool_size = 97;
  out.tenant = true;
  out.app_roles = {"app"};
  return out;
}

Level level_of(const NodeFacts& facts, const NodeNeeds& wanted, const std::string& what) {
  const auto checks = judge_node(facts, wanted);
  const auto it = std::find_if(checks.begin(), checks.end(),
                               [&](const Check& check) { return check.what == what; });
  REQUIRE_MESSAGE(it != checks.end(), what);
  if (it->level != Level::kGood) {
    CHECK(!it->follows.empty());
    CHECK(!it->remedy.empty());
  }
  return it->level;
}

Level with_setting(const std::string& name, const std::string& value) {
  NodeFacts facts = good_facts();
  facts.settings[name] = value;
  return level_of(facts, needs(), name);
}

}  // namespace

TEST_CASE("a good node has nothing missing") {
  for (const Check& check : judge_node(good_facts(), needs())) {
    CHECK_MESSAGE(check.level <= Level::kNote, check.what);
  }
}

TEST_CASE("each setting that weakens is named") {
  CHECK(with_setting("password_encryption", "md5") == Level::kWarning);
  CHECK(with_setting("wal_level", "minimal") == Level::kMissing);
  CHECK(with_setting("hot_standby", "off") == Level::kMissing);
  CHECK(with_setting("log_parameter_max_length_on_error", "-1") == Level::kWarning);
  CHECK(with_setting("row_security", "off") == Level::kMissing);
  CHECK(with_setting("ssl", "off") == Level::kWarning);
  NodeNeeds wants_tls = needs();
  wants_tls.tls_configured = true;
  NodeFacts plain = good_facts();
  plain.settings["ssl"] = "off";
  CHECK(level_of(plain, wants_tls, "ssl") == Level::kMissing);
  wants_tls.local = true;
  CHECK(level_of(plain, wants_tls, "ssl") == Level::kGood);
}

TEST_CASE("pools fit the connections that are not reserved, to the last one") {
  NodeNeeds wanted = needs();
  CHECK(level_of(good_facts(), wanted, "max_connections") == Level::kGood);
  wanted.pool_size = 98;
  CHECK(level_of(good_facts(), wanted, "max_connections") == Level::kMissing);
}

TEST_CASE("roles that the wall does not hold") {
  const auto level = [](RoleFacts role) {
    NodeFacts facts = good_facts();
    facts.roles = {std::move(role)};
    return level_of(facts, needs(), "login app");
  };
  CHECK(level({"app", true, false, false, false}) == Level::kMissing);
  CHECK(level({"app", false, true, false, false}) == Level::kMissing);
  CHECK(level({"app", false, false, false, true}) == Level::kMissing);
  CHECK(level({"app", false, false, true, false}) == Level::kWarning);
  CHECK(level({"other", false, false, false, false}) == Level::kMissing);
  NodeFacts lacking = good_facts();
  lacking.reads_stats = false;
  CHECK(level_of(lacking, needs(), "pg_read_all_stats") == Level::kMissing);
}

TEST_CASE("versions: too old, with known holes, good") {
  const auto level = [](int version) { return judge_version(version, "x", "n")->level; };
  CHECK(level(149999) == Level::kMissing);
  CHECK(level(150008) == Level::kMissing);
  CHECK(level(150009) == Level::kWarning);
  CHECK(level(150013) == Level::kWarning);
  CHECK(level(150014) == Level::kGood);
  CHECK(level(160004) == Level::kMissing);
  CHECK(level(160010) == Level::kGood);
  CHECK(level(170000) == Level::kMissing);
  CHECK(level(170006) == Level::kGood);
  CHECK(level(180000) == Level::kGood);
}
