// What the configuration says of a database, in the words of policy/.
#include <doctest/doctest.h>

#include "base/codes/pool.hpp"
#include "proxy/keeper/policy_options.hpp"
#include "proxy/keeper/service_connection.hpp"
#include "proxy/route/monitor.hpp"

namespace postern::proxy {
namespace {

config::Config two_databases() {
  config::Config config;
  config.databases["shop"].cluster = "main";
  config.databases["alias"].cluster = "main";
  config.databases["alias"].upstream = "shop";
  config.databases["other"].cluster = "main";
  config.tenant.emplace();
  config.tenant->shared = {"public.plans"};
  config::TableOptions table;
  table.database = "shop";
  table.name = "public.legacy";
  table.tenant_column = "customer";
  config.tables.push_back(table);
  config::ColumnOptions column;
  column.database = "shop";
  column.table = "public.users";
  column.name = "email";
  column.type = "text";
  column.scheme = config::Scheme::kDeterministic;
  column.uuid = "0b1f7c1e-3f0e-4f63-9a53-0d1c9a5b7a11";
  column.link_group = "emails";
  config.columns.push_back(column);
  return config;
}

}  // namespace

TEST_CASE("keeper: rules of a database, of its alias, and of another") {
  const config::Config config = two_databases();
  for (const char* name : {"shop", "alias"}) {
    const auto options = policy_options(config, name);
    REQUIRE(options);
    CHECK(options->mode == policy::Mode::kEnforce);
    CHECK(options->tenant_column == "tenant_id");
    CHECK(options->shared == std::vector<std::string>{"public.plans"});
    REQUIRE(options->tables.size() == 1);
    CHECK(options->tables[0].tenant_column == "customer");
    REQUIRE(options->columns.size() == 1);
    CHECK(options->columns[0].scheme == policy::Scheme::kDeterministic);
    CHECK(options->columns[0].scope == policy::KeyScope::kTenant);
    CHECK(options->columns[0].link_group == link_group_uuid("emails"));
  }
  const auto other = policy_options(config, "other");
  REQUIRE(other);
  CHECK(other->tables.empty());
  CHECK(other->columns.empty());
}

TEST_CASE("keeper: what is not built yet is refused, where it applies") {
  config::Config config = two_databases();
  SUBCASE("mask") {
    config.columns[0].mask = "partial";
  }
  SUBCASE("roles") {
    config.columns[0].roles.push_back({"ann", config::Access::kDeny, ""});
  }
  const auto options = policy_options(config, "alias");
  REQUIRE_FALSE(options);
  CHECK(options.error().code == pst::kProtectionBlocked);
  CHECK(policy_options(config, "other"));
}

TEST_CASE("keeper: policies of tables are taken over") {
  config::Config config = two_databases();
  config::TablePolicy policy;
  policy.name = "own";
  policy.kind = config::PolicyKind::kRestrictive;
  policy.command = config::PolicyCommand::kUpdate;
  policy.roles = {"clerk"};
  policy.using_sql = "a";
  policy.check_sql = "b";
  config.tables[0].policies.push_back(policy);
  const auto options = policy_options(config, "alias");
  REQUIRE(options);
  REQUIRE(options->tables[0].policies.size() == 1);
  const policy::BusinessRule& rule = options->tables[0].policies[0];
  CHECK(rule.name == "own");
  CHECK_FALSE(rule.permissive);
  CHECK(rule.command == 'w');
  CHECK(rule.roles == std::vector<std::string>{"clerk"});
  CHECK(rule.using_text == "a");
  CHECK(rule.check_text == "b");
}

TEST_CASE("keeper: a link group's name stands for one uuid for ever") {
  // sha256sum of "postern link group:emails", the first sixteen bytes.
  CHECK(link_group_uuid("emails") == "565d82df152bcb863f7ca24189adc19a");
  CHECK(link_group_uuid("Emails") != link_group_uuid("emails"));
  CHECK(link_group_uuid("").empty());
  const char* uuid = "0b1f7c1e-3f0e-4f63-9a53-0d1c9a5b7a11";
  CHECK(link_group_uuid(uuid) == uuid);
}

TEST_CASE("keeper: the wall binds the roles that applications are served as") {
  config::Config config = two_databases();
  config.databases["shop"].user = "shop_app";
  config.users["ann"];
  config.users["bob"].upstream_user = "bob_up";
  config.users["dba"].profile = config::Profile::kAdmin;
  config.users["mig"].profile = config::Profile::kMigrator;
  config.users["dump"].profile = config::Profile::kBackup;
  config.users["sue"].profile = config::Profile::kAnalyst;
  config.users["sue"].upstream_user = "sue_up";
  CHECK(wall_options(config, "shop").app_roles ==
        std::vector<std::string>{"bob_up", "shop_app", "sue_up"});
  CHECK(wall_options(config, "other").app_roles ==
        std::vector<std::string>{"ann", "bob_up", "sue_up"});
  config.users.clear();
  CHECK(wall_options(config, "shop").app_roles.empty());
  config.auth.method = config::AuthMethod::kTrust;
  CHECK(wall_options(config, "shop").app_roles == std::vector<std::string>{"shop_app"});
}

TEST_CASE("keeper: SQLSTATE of a refused query") {
  CHECK(upstream_sqlstate(make_error(pst::kUpstreamQuery, "42P01 no such relation")) == "42P01");
  CHECK(upstream_sqlstate(make_error(pst::kUpstreamQuery, "42P")).empty());
  CHECK(upstream_sqlstate(make_error(pst::kUpstreamLost, "42P01 x")).empty());
}

TEST_CASE("route: databases to probe in") {
  config::Config config = two_databases();
  config.databases["*"].cluster = "main";
  config.databases["far"].cluster = "elsewhere";
  CHECK(Monitor::probe_databases(config, "main") ==
        std::vector<std::string>{"shop", "other", "postgres"});
  CHECK(Monitor::probe_databases(config, "none") == std::vector<std::string>{"postgres"});
}

}  // namespace postern::proxy
