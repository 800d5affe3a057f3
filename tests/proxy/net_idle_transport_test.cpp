// Idle connections: left with a worker, taken there or elsewhere.
#include <sys/socket.h>
#include <thread>

#include "proxy/net/idle_transport.hpp"
#include "proxy/pool/broker.hpp"
#include "tests/proxy/net_rig.hpp"

using namespace postern;
using namespace postern::proxy;
using namespace postern::test;

namespace {

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

// Reads what `far` has said, then leaves the transport with its worker.
Task<Result<IdleTransport>> use_and_leave(Worker* worker, IdleTransport* idle) {
  auto taken = idle->take(worker);
  if (!taken) co_return taken.error();
  std::unique_ptr<Transport> transport = std::move(*taken);
  char room[64];
  const Result<std::size_t> got = co_await transport->read_some(room, sizeof room);
  if (!got) co_return got.error();
  co_return IdleTransport(worker, std::move(transport));
}

IdleTransport used_by(Worker& worker, IdleTransport idle, const UniqueFd& far) {
  REQUIRE(::send(far.get(), "hello", 5, 0) == 5);
  auto left = run(worker, use_and_leave(&worker, &idle));
  REQUIRE(left);
  CHECK(left->home() == &worker);
  return std::move(*left);
}

Task<IdleState> glance(Worker* worker, IdleTransport* idle) {
  co_return idle->glance(worker);
}

// On the worker's thread, as it must be.
Task<PoolTicket> take_idle(Worker* worker, Broker* broker, const PoolHandle* handle) {
  co_return broker->take_idle(worker, *handle);
}

Task<Status> close_here(Worker* worker, IdleTransport* idle) {
  auto taken = idle->take(worker);
  if (!taken) co_return taken.error();
  (*taken)->close();
  co_return ok();
}

bool at_end(const UniqueFd& far) {
  char byte = 0;
  return ::recv(far.get(), &byte, 1, 0) == 0;
}

}  // namespace

TEST_CASE("a connection goes from user to user, on one worker and across") {
  Workers workers;
  auto [near, far] = tcp_pair();
  IdleTransport idle(UnboundTransport::from_fd(std::move(near)));
  CHECK(idle.home() == nullptr);
  Worker* order[] = {&workers.one, &workers.one, &workers.two, &workers.two, &workers.one};
  for (Worker* worker : order) {
    idle = used_by(*worker, std::move(idle), far);
    CHECK(run(workers.one, glance(&workers.one, &idle)) == IdleState::kQuiet);
    CHECK(run(workers.two, glance(&workers.two, &idle)) == IdleState::kQuiet);
  }
  CHECK(run(workers.two, close_here(&workers.two, &idle)));
  CHECK(at_end(far));  // no descriptor of it was left behind
}

TEST_CASE("a worker hears what happens to a connection left with it") {
  Workers workers;
  auto [near, far] = tcp_pair();
  IdleTransport idle(UnboundTransport::from_fd(std::move(near)));
  idle = used_by(workers.one, std::move(idle), far);
  IdleState expected = IdleState::kHasInput;
  SUBCASE("it speaks") {
    REQUIRE(::send(far.get(), "E", 1, 0) == 1);
  }
  SUBCASE("it goes") {
    far.reset();
    expected = IdleState::kGone;
  }
  const auto give_up = std::chrono::steady_clock::now() + kPatience;
  while (run(workers.one, glance(&workers.one, &idle)) == IdleState::kQuiet) {
    REQUIRE(std::chrono::steady_clock::now() < give_up);
    std::this_thread::yield();
  }
  CHECK(run(workers.one, glance(&workers.one, &idle)) == expected);
  CHECK(run(workers.two, glance(&workers.two, &idle)) == expected);
}

TEST_CASE("dropping an idle connection closes it, on the worker it was left with") {
  Workers workers;
  auto [near, far] = tcp_pair();
  {
    IdleTransport idle(UnboundTransport::from_fd(std::move(near)));
    idle = used_by(workers.one, std::move(idle), far);
  }
  CHECK(at_end(far));
}

TEST_CASE("of several idle connections a taker gets one left with its worker, else any") {
  Workers workers;
  Broker broker;
  Broker::Request wanted;
  wanted.key = {"node:5432", "shop", "app"};
  wanted.pool_size = 2;
  wanted.timeout = std::chrono::seconds(60);
  const PoolHandle here = broker.handle(&workers.one, wanted);
  const PoolHandle there = broker.handle(&workers.two, wanted);
  std::vector<UniqueFd> far;
  std::vector<PoolTicket> tickets;
  for (int i = 0; i < 2; ++i) {
    auto ticket = run(workers.one, broker.acquire(&workers.one, &here, wanted));
    REQUIRE(ticket);
    tickets.push_back(std::move(*ticket));
  }
  Worker* homes[] = {&workers.one, &workers.two};  // the second is the one used last
  for (std::size_t i = 0; i < 2; ++i) {
    auto [mine, its] = tcp_pair();
    IdleTransport idle(UnboundTransport::from_fd(std::move(mine)));
    far.push_back(std::move(its));
    IdleServer server{used_by(*homes[i], std::move(idle), far.back()),
                      std::make_unique<ServerFacts>()};
    tickets[i].release(std::move(server));
  }
  PoolTicket first = run(workers.one, take_idle(&workers.one, &broker, &here));
  REQUIRE(first.has_server());
  IdleServer near_one = first.take_server();
  CHECK(near_one.transport.home() == &workers.one);
  PoolTicket second = run(workers.one, take_idle(&workers.one, &broker, &here));
  REQUIRE(second.has_server());
  IdleServer far_one = second.take_server();
  CHECK(far_one.transport.home() == &workers.two);
  broker.shut_down();
}
