// Which reload ends a session, judged from the two configurations alone.
#include "proxy/session/outdated.hpp"

#include <doctest/doctest.h>

using namespace postern;
using namespace postern::proxy;

namespace {

config::Config base() {
  config::Config config;
  config.databases["app"].cluster = "main";
  config.users["ann"].upstream_user = "pool";
  config.users["bob"];
  return config;
}

Identity identity(const std::string& login, const std::string& tenant = "") {
  Identity who;
  who.login = login;
  if (!tenant.empty()) who.tenant = *TenantId::parse(tenant);
  return who;
}

std::string reason(const config::Config& before, const config::Config& now, const Identity& who) {
  return identity_changed(before, now, who, "app").value_or("");
}

}  // namespace

TEST_CASE("outdated: what does not touch the login keeps its session") {
  config::Config now = base();
  now.users["eve"];
  now.users["ann"].password = Secret("new");
  now.databases["other"].cluster = "main";
  now.limits.max_clients = 1;
  CHECK(reason(base(), now, identity("ann")).empty());
  // Logins that no users file lists: method trust, or asked for at the server.
  CHECK(reason(base(), now, identity("stranger")).empty());
}

TEST_CASE("outdated: a login that was removed") {
  config::Config now = base();
  now.users.erase("bob");
  CHECK(reason(base(), now, identity("bob")) == "its login was removed");
  CHECK(reason(base(), now, identity("ann")).empty());
}

TEST_CASE("outdated: another profile, by the user, the database or new protection") {
  config::Config by_user = base();
  by_user.users["ann"].profile = config::Profile::kAdmin;
  CHECK(reason(base(), by_user, identity("ann")) == "its profile is another");
  config::Config by_database = base();
  by_database.databases["app"].profile = config::Profile::kAnalyst;
  CHECK(reason(base(), by_database, identity("bob")) == "its profile is another");
  config::Config is_protected = base();
  is_protected.columns.emplace_back().table = "public.t";
  CHECK(reason(base(), is_protected, identity("bob")) == "its profile is another");
}

TEST_CASE("outdated: another login on the server") {
  config::Config now = base();
  now.databases["app"].user = "shared";
  CHECK(reason(base(), now, identity("ann")).empty());  // has its own
  CHECK(reason(base(), now, identity("bob")) == "its login on the server is another");
  now = base();
  now.users["ann"].upstream_user = "other";
  CHECK(reason(base(), now, identity("ann")) == "its login on the server is another");
}

TEST_CASE("outdated: a tenant that is no longer the login's") {
  config::Config before = base();
  before.users["ann"].tenants.any = true;
  config::Config now = base();
  now.users["ann"].tenants.allowed = {*TenantId::parse("t1")};
  CHECK(reason(before, now, identity("ann", "t1")).empty());
  CHECK(reason(before, now, identity("ann", "t2")) == "its tenant is another");
  now.users["ann"].tenants = {};
  now.users["ann"].tenant = *TenantId::parse("t3");
  CHECK(reason(before, now, identity("ann", "t1")) == "its tenant is another");
  CHECK(reason(before, now, identity("ann")) == "its tenant is another");
  CHECK(reason(before, now, identity("ann", "t3")).empty());
}

TEST_CASE("outdated: protection that comes or goes, whatever the profile") {
  config::Config before = base();
  before.users["ann"].profile = config::Profile::kApp;
  config::Config now = base();
  now.users["ann"].profile = config::Profile::kApp;
  now.tables.emplace_back().name = "public.t";
  now.tables.back().database = "app";
  CHECK(reason(before, now, identity("ann")) == "its database is protected now");
  CHECK(reason(now, before, identity("ann")) == "its database is no longer protected");
  CHECK(reason(now, now, identity("ann")).empty());
  now.tables.back().database = "other";
  CHECK(reason(before, now, identity("ann")).empty());
}
