#include <atomic>

#include "base/codes/pool.hpp"
#include "proxy/pool/clients.hpp"
#include "proxy/pool/identity.hpp"
#include "proxy/pool/settings.hpp"
#include "tests/proxy/net_rig.hpp"

using namespace postern;
using namespace postern::proxy;
using namespace postern::test;
using namespace std::chrono_literals;

namespace {

ClientRegistry::Entry client(std::string database, std::string login) {
  ClientRegistry::Entry entry;
  entry.database = std::move(database);
  entry.login = std::move(login);
  entry.database_limit = 2;
  entry.login_limit = 3;
  return entry;
}

}  // namespace

TEST_CASE("clients are admitted up to the limits of their database and of their login") {
  ClientRegistry registry;
  auto first = registry.admit(client("shop", "app"));
  auto second = registry.admit(client("shop", "app"));
  CHECK(first);
  CHECK(second);
  CHECK(registry.admit(client("shop", "other")).error().code == pst::kTooManyDatabaseClients);
  auto third = registry.admit(client("blog", "app"));
  CHECK(third);
  CHECK(registry.admit(client("blog", "app")).error().code == pst::kTooManyUserClients);
  CHECK(registry.of_database("shop") == 2);
  CHECK(registry.of_login("app") == 3);
  *first = ClientTicket();
  CHECK(registry.of_database("shop") == 1);
  CHECK(registry.admit(client("shop", "other")));
  CHECK(registry.of_login("other") == 0);
}

TEST_CASE("a disabled database refuses new clients with the reason, and keeps the others") {
  ClientRegistry registry;
  auto before = registry.admit(client("shop", "app"));
  registry.disable("shop", "moving house");
  auto refused = registry.admit(client("shop", "app"));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == pst::kDatabaseDisabled);
  CHECK(refused.error().what == "moving house");
  CHECK(registry.admit(client("blog", "app")));
  registry.disable("", "all of it");
  CHECK_FALSE(registry.admit(client("blog", "app")));
  registry.enable("");
  CHECK(registry.admit(client("shop", "app")));
}

TEST_CASE("ending a database's sessions tells each of them on its worker") {
  Worker worker(WorkerOptions{});
  worker.start();
  ClientRegistry registry;
  std::atomic<int> told{0};
  std::vector<Result<ClientTicket>> tickets;
  for (const char* database : {"shop", "shop", "blog"}) {
    auto entry = client(database, "app");
    entry.worker = &worker;
    entry.end = [&told] { ++told; };
    tickets.push_back(registry.admit(std::move(entry)));
  }
  CHECK(registry.end("shop") == 2);
  CHECK(registry.end("") == 3);
  const auto give_up = SteadyClock::now() + kPatience;
  while (told < 5 && SteadyClock::now() < give_up) std::this_thread::sleep_for(1ms);
  CHECK(told == 5);
}

TEST_CASE("an identity gives its startup parameters back, whatever bytes they hold") {
  const StartupParameters startup = {{"application_name", "a:1"}, {"options", ""}, {"x", "3:abc"}};
  const std::string identity = encode_identity("tenant-7", startup);
  const auto back = startup_of(identity);
  REQUIRE(back);
  CHECK(*back == startup);
  for (std::size_t cut = 1; cut < identity.size(); ++cut) {
    const auto shorter = startup_of(std::string_view(identity).substr(0, cut));
    if (shorter) CHECK(shorter->size() < startup.size());
  }
  for (const char* bad : {"", "x", "1:", "-1:a", "5:abc", "1:a2:b"}) CHECK_FALSE(startup_of(bad));
}

TEST_CASE("the login's keys go before the database's, these before the limits") {
  config::LimitsOptions limits;
  config::DatabaseOptions database;
  config::UserOptions user;
  limits.max_db_connections = 50;
  limits.max_user_connections = 40;
  limits.max_user_client_connections = 30;
  database.pool_size = 9;
  CHECK(pool_settings(limits, database, user, "app").pool_size == 9);
  CHECK(pool_settings(limits, database, user, "app").max_db_connections == 50);
  CHECK(client_limits(limits, database, user).database == 0);
  CHECK(client_limits(limits, database, user).login == 30);
  user.pool_size = 3;
  user.max_user_connections = 4;
  database.max_db_connections = 5;
  database.max_db_client_connections = 6;
  const PoolSettings settings = pool_settings(limits, database, user, "app");
  CHECK(settings.login == "app");
  CHECK(settings.pool_size == 3);
  CHECK(settings.max_db_connections == 5);
  CHECK(settings.max_user_connections == 4);
  CHECK(client_limits(limits, database, user).database == 6);
  CHECK(wait_limits(limits).notify_after == 5s);
}
