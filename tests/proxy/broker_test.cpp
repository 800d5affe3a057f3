#include "proxy/pool/broker.hpp"

#include <atomic>
#include <set>
#include <thread>

#include "base/codes/net.hpp"
#include "base/codes/pool.hpp"
#include "tests/proxy/net_rig.hpp"

using namespace postern;
using namespace postern::proxy;
using namespace postern::test;
using namespace std::chrono_literals;

namespace {

/// A server connection of one half of a socket pair; the other half plays the server.
struct FakeServer {
  FakeServer() {
    auto [mine, its] = tcp_pair();
    server.transport = UnboundTransport::from_fd(std::move(mine));
    server.facts = std::make_unique<ServerFacts>();
    server.facts->backend_pid = 4711;
    peer = std::move(its);
  }
  IdleServer server;
  UniqueFd peer;
};

Broker::Request request(std::string user = "app", std::size_t size = 1) {
  Broker::Request result;
  result.key = {"node:5432", "shop", std::move(user)};
  result.identity = "0:";
  result.application = "shop-web";
  result.session = 7;
  result.pool_size = size;
  result.timeout = 60s;
  return result;
}

Result<PoolTicket> take(Worker& worker, Broker& broker, const Broker::Request& wanted) {
  return run(worker, broker.acquire(&worker, wanted));
}

struct Workers {
  Workers() : group(2, WorkerOptions{}) { group.start(); }
  ~Workers() {
    group.stop();
    group.join();
  }
  WorkerGroup group;
  Worker& one = group.at(0);
  Worker& two = group.at(1);
};

Task<Status> churn(Worker* worker, Broker* broker, int rounds, std::atomic<int>* inside) {
  for (int i = 0; i < rounds; ++i) {
    Broker::Request wanted = request();
    Result<PoolTicket> ticket = co_await broker->acquire(worker, std::move(wanted));
    if (!ticket) co_return ticket.error();
    if (++*inside > 1) co_return make_error(pst::kInternal, "two holders");
    IdleServer server = ticket->has_server() ? ticket->take_server() : FakeServer().server;
    // A server whose other end is gone would not be handed on: discard now and then by itself.
    --*inside;
    ticket->release(std::move(server));
  }
  co_return ok();
}

}  // namespace

TEST_CASE("a connection given back on one worker serves who waits on another") {
  Workers workers;
  Broker broker;
  FakeServer fake;
  auto first = take(workers.one, broker, request());
  REQUIRE(first);
  CHECK_FALSE(first->has_server());
  first->opened(*fake.server.facts, false);
  auto waiting = start(workers.two, broker.acquire(&workers.two, request()));
  CHECK(waiting.wait_for(100ms) == std::future_status::timeout);
  CHECK(broker.stats()[0].waiting == 1);
  CHECK(broker.stats()[0].maxwait_us > 0);
  first->release(std::move(fake.server));
  auto second = finish(std::move(waiting));
  REQUIRE(second);
  CHECK(second->has_server());
  CHECK(second->take_server().facts->backend_pid == 4711);
}

TEST_CASE("two workers churn through a pool of one and nobody is left waiting") {
  Workers workers;
  Broker broker;
  std::atomic<int> inside{0};
  std::vector<std::future<Status>> churners;
  for (int i = 0; i < 8; ++i) {
    Worker& worker = i % 2 == 0 ? workers.one : workers.two;
    churners.push_back(start(worker, churn(&worker, &broker, 200, &inside)));
  }
  for (auto& churner : churners) CHECK(finish(std::move(churner)));
  const PoolStats stats = broker.stats()[0];
  CHECK(stats.waiting == 0);
  CHECK(stats.total <= 1);
  CHECK(stats.sv_active == 0);
  CHECK(stats.sv_login == 0);
}

TEST_CASE("a dead idle connection is dropped on the way and its slot kept") {
  Workers workers;
  Broker broker;
  FakeServer fake;
  auto ticket = take(workers.one, broker, request());
  ticket->release(std::move(fake.server));
  fake.peer = UniqueFd();
  auto again = take(workers.one, broker, request());
  REQUIRE(again);
  CHECK_FALSE(again->has_server());
  CHECK(broker.stats()[0].sv_login == 1);
  CHECK(broker.servers().empty());
}

TEST_CASE("waiting ends with its timeout, after telling the session once") {
  Workers workers;
  Broker broker;
  auto holder = take(workers.one, broker, request());
  Broker::Request wanted = request();
  std::atomic<int> told{0};
  wanted.timeout = 600ms;
  wanted.notify_after = 150ms;
  wanted.on_wait = [](void* owner) { ++*static_cast<std::atomic<int>*>(owner); };
  wanted.owner = &told;
  const auto begun = SteadyClock::now();
  auto ticket = take(workers.two, broker, wanted);
  REQUIRE_FALSE(ticket);
  CHECK(ticket.error().code == pst::kPoolTimeout);
  CHECK(SteadyClock::now() - begun >= 600ms);
  CHECK(told == 1);
  CHECK(broker.stats()[0].waiting == 0);
}

TEST_CASE("who is gone leaves the queue long before its timeout") {
  Workers workers;
  Broker broker;
  auto holder = take(workers.one, broker, request());
  Broker::Request wanted = request();
  std::atomic<bool> gone{false};
  wanted.is_gone = [](void* owner) { return static_cast<std::atomic<bool>*>(owner)->load(); };
  wanted.owner = &gone;
  auto waiting = start(workers.two, broker.acquire(&workers.two, wanted));
  CHECK(waiting.wait_for(3 * WaitLimits::kLookInterval) == std::future_status::timeout);
  CHECK(broker.stats()[0].waiting == 1);
  gone = true;
  auto ticket = finish(std::move(waiting));
  REQUIRE_FALSE(ticket);
  CHECK(ticket.error().code == pst::kTransportClosed);
  CHECK(broker.stats()[0].waiting == 0);
}

TEST_CASE("a connection whose login began before RECONNECT counts as one from before") {
  Workers workers;
  Broker broker;
  FakeServer fake;
  auto ticket = take(workers.one, broker, request());
  broker.reconnect("shop");
  ticket->opened(*fake.server.facts, false);
  CHECK(broker.servers()[0].close_needed);
  ticket->release(std::move(fake.server));
  CHECK(broker.stats()[0].total == 0);
  auto next = take(workers.one, broker, request());
  FakeServer later;
  next->opened(*later.server.facts, false);
  next->release(std::move(later.server));
  CHECK(broker.stats()[0].idle == 1);
}

TEST_CASE("who asks while a server is down hears the reason at once, until it is back") {
  Workers workers;
  Broker broker;
  auto opener = take(workers.one, broker, request());
  auto waiting = start(workers.two, broker.acquire(&workers.two, request()));
  CHECK(waiting.wait_for(50ms) == std::future_status::timeout);
  opener->fail(make_error(pst::kUpstreamLost, "57P03 starting up"), "57P03");
  auto failed = finish(std::move(waiting));
  REQUIRE_FALSE(failed);
  CHECK(failed.error().code == pst::kUpstreamUnavailable);
  CHECK(failed.error().what.find("57P03 starting up") != std::string::npos);
  CHECK(take(workers.one, broker, request()).error().code == pst::kUpstreamUnavailable);
  CHECK(take(workers.one, broker, request("other")));  // another login is not concerned
  CHECK_FALSE(broker.stats()[0].failing.empty());
  std::this_thread::sleep_for(110ms);
  auto probe = take(workers.one, broker, request());
  REQUIRE(probe);
  FakeServer fake;
  probe->opened(*fake.server.facts, false);
  CHECK(broker.stats()[0].failing.empty());
}

TEST_CASE("a failure of one session's own making stops nobody else") {
  using Check = bool (*)(const Error&, std::string_view);
  const Check concerns = PoolTicket::concerns_login;
  const Error refused = make_error(pst::kUpstreamLost);
  for (const char* state : {"57P03", "53300", "28P01", "3D000"}) CHECK(concerns(refused, state));
  for (const char* state : {"22023", "42704", "42501"}) CHECK_FALSE(concerns(refused, state));
  CHECK(concerns(make_error(Pst{2314}), ""));  // connection refused
  CHECK_FALSE(concerns(make_error(Pst{1208}), ""));
  Workers workers;
  Broker broker;
  auto ticket = take(workers.one, broker, request());
  ticket->fail(refused, "22023");
  CHECK(take(workers.one, broker, request()));
}

TEST_CASE("pause waits for what is out, resume lets the queue go on") {
  Workers workers;
  Broker broker;
  FakeServer fake;
  auto holder = take(workers.one, broker, request());
  holder->opened(*fake.server.facts, false);
  broker.pause("shop");
  CHECK(broker.is_paused("shop"));
  CHECK_FALSE(broker.is_paused("other"));
  auto rest = start(workers.one, broker.wait_paused(&workers.one, "shop", 60s));
  auto waiting = start(workers.two, broker.acquire(&workers.two, request()));
  CHECK(rest.wait_for(50ms) == std::future_status::timeout);
  CHECK(broker.servers()[0].close_needed);
  holder->release(std::move(fake.server));
  CHECK(*finish(std::move(rest)));
  CHECK(broker.servers().empty());
  CHECK(waiting.wait_for(50ms) == std::future_status::timeout);
  broker.resume("shop");
  CHECK(finish(std::move(waiting)));
}

TEST_CASE("timeouts run on while everything is paused, also for pools made later") {
  Workers workers;
  Broker broker;
  broker.pause("");
  Broker::Request wanted = request();
  wanted.timeout = 100ms;
  CHECK(take(workers.one, broker, wanted).error().code == pst::kPoolTimeout);
  auto rest = run(workers.one, broker.wait_paused(&workers.one, "", 60s));
  CHECK(*rest);
}

TEST_CASE("kill fails who waits, shut_down ends every kind of waiting") {
  Workers workers;
  Broker broker;
  auto holder = take(workers.one, broker, request());
  auto waiting = start(workers.two, broker.acquire(&workers.two, request()));
  CHECK(waiting.wait_for(50ms) == std::future_status::timeout);
  broker.kill("shop");
  CHECK(finish(std::move(waiting)).error().code == pst::kConnectionsKilled);

  auto later = start(workers.two, broker.acquire(&workers.two, request()));
  auto rest = start(workers.one, broker.wait_paused(&workers.one, "shop", 60s));
  CHECK(later.wait_for(50ms) == std::future_status::timeout);
  broker.shut_down();
  CHECK(finish(std::move(later)).error().code == pst::kShuttingDown);
  CHECK(finish(std::move(rest)).error().code == pst::kShuttingDown);
  CHECK(take(workers.one, broker, request()).error().code == pst::kShuttingDown);
  holder->discard();
  CHECK(broker.stats()[0].total == 0);
}

TEST_CASE("wait_close settles when the last connection from before RECONNECT is gone") {
  Workers workers;
  Broker broker;
  FakeServer fake;
  auto holder = take(workers.one, broker, request());
  holder->opened(*fake.server.facts, false);
  broker.reconnect("shop");
  CHECK_FALSE(*run(workers.one, broker.wait_close(&workers.one, "shop", 100ms)));
  auto rest = start(workers.one, broker.wait_close(&workers.one, "shop", 60s));
  holder->release(std::move(fake.server));
  CHECK(*finish(std::move(rest)));
  CHECK(broker.stats()[0].total == 0);
}

TEST_CASE("a waiting session that is destroyed leaves nothing behind") {
  Broker broker;
  PoolTicket holder;
  {
    Worker worker(WorkerOptions{});
    worker.start();
    auto taken = take(worker, broker, request());
    holder = std::move(*taken);
    auto waiting = start(worker, broker.acquire(&worker, request()));
    CHECK(waiting.wait_for(50ms) == std::future_status::timeout);
    worker.stop();
    worker.join();
    worker.destroy_sessions();
  }
  CHECK(broker.stats()[0].waiting == 0);
  holder.discard();
  CHECK(broker.stats()[0].total == 0);
}

TEST_CASE("pools below their minimum are listed, as the last identity that used them") {
  Workers workers;
  Broker broker;
  Broker::Request wanted = request("app", 3);
  wanted.min_pool_size = 2;
  CHECK(broker.wanted(SteadyClock::now()).empty());
  take(workers.one, broker, wanted)->discard();
  FakeServer fake;
  {
    auto missing = broker.wanted(SteadyClock::now());
    REQUIRE(missing.size() == 1);
    CHECK(missing[0].taker().identity == "0:");
    CHECK(missing[0].key().database == "shop");
    missing[0].release(std::move(fake.server));
  }
  CHECK(broker.stats()[0].idle == 1);
  CHECK(broker.wanted(SteadyClock::now()).size() == 1);  // opening it fails
  CHECK(broker.wanted(SteadyClock::now()).empty());      // so not at once again
  CHECK(broker.wanted(SteadyClock::now() + 11s).size() == 1);
}

TEST_CASE("reports name every connection and count what was done") {
  Workers workers;
  Broker broker;
  FakeServer fake;
  Broker::Request wanted = request("app", 2);
  wanted.max_db_connections = 5;
  const PoolHandle handle = broker.handle(&workers.one, wanted);
  auto ticket = run(workers.one, broker.acquire(&workers.one, &handle, wanted));
  REQUIRE(ticket);
  CHECK(broker.stats()[0].sv_login == 1);
  ticket->opened(*fake.server.facts, true);
  auto servers = broker.servers();
  REQUIRE(servers.size() == 1);
  CHECK(servers[0].state == ServerState::kActive);
  CHECK(servers[0].backend_pid == 4711);
  CHECK(servers[0].tls);
  CHECK(servers[0].application == "shop-web");
  CHECK(servers[0].session == 7);
  ticket->release(std::move(fake.server));
  servers = broker.servers();
  CHECK(servers[0].state == ServerState::kIdle);
  CHECK(servers[0].session == 0);
  CHECK(broker.database_caps()[0].limit == 5);
  CHECK(broker.database_caps()[0].used == 1);
  CHECK(broker.stats()[0].cl_active == 1);
  CHECK(broker.stats()[0].opened == 1);
  broker.retune([](const PoolKey&, const std::string&) { return PoolSettings{}; });
  CHECK(broker.stats()[0].size == 1);
  CHECK(broker.database_caps()[0].limit == 0);
}

TEST_CASE("a pool is retuned for the login whose settings it has, not for the server's") {
  Broker broker;
  Broker::Request wanted = request("svc");
  wanted.login = "app";
  const PoolHandle handle = broker.handle(nullptr, wanted);
  std::vector<std::string> asked;
  broker.retune([&](const PoolKey& key, const std::string& login) {
    CHECK(key.user == "svc");
    asked.push_back(login);
    return PoolSettings{};
  });
  CHECK(asked == std::vector<std::string>{"app"});
}
