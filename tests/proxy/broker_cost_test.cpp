// What the way through a pool costs where nobody waits.
#include <ctime>

#include "proxy/pool/broker.hpp"
#include "tests/proxy/net_rig.hpp"

using namespace postern;
using namespace postern::proxy;
using namespace postern::test;

namespace {

constexpr int kRounds = 100'000;

// Of this thread alone: other work on the machine does not count.
double cpu_nanoseconds() {
  constexpr double kNanos = 1e9;
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * kNanos + static_cast<double>(time.tv_nsec);
}

double nanoseconds_each(double begun) {
  return (cpu_nanoseconds() - begun) / kRounds;
}

Task<double> take_and_give_back(Worker* worker, Broker* broker, const PoolHandle* handle) {
  const WaitLimits limits;
  const double begun = cpu_nanoseconds();
  for (int i = 0; i < kRounds; ++i) {
    Result<PoolTicket> ticket = co_await broker->acquire(worker, handle, limits);
    IdleServer server = ticket->take_server();
    ticket->release(std::move(server));
  }
  co_return nanoseconds_each(begun);
}

}  // namespace

TEST_CASE("taking an idle connection and giving it back is cheap") {
  Worker worker(WorkerOptions{});
  worker.start();
  Broker broker;
  Broker::Request wanted;
  wanted.key = {"node:5432", "shop", "app"};
  wanted.identity = std::string(200, 'i');
  const PoolHandle handle = broker.handle(&worker, wanted);
  auto [mine, its] = tcp_pair();
  auto ticket = run(worker, broker.acquire(&worker, &handle, wanted));
  REQUIRE(ticket);
  IdleServer server{UnboundTransport::from_fd(std::move(mine)), std::make_unique<ServerFacts>()};
  ticket->release(std::move(server));

  const double awaited = run(worker, take_and_give_back(&worker, &broker, &handle));
  const double begun = cpu_nanoseconds();
  for (int i = 0; i < kRounds; ++i) {
    PoolTicket taken = broker.take_idle(&worker, handle);
    IdleServer held = taken.take_server();
    taken.release(std::move(held));
  }
  const double direct = nanoseconds_each(begun);
  PoolTicket last = broker.take_idle(&worker, handle);
  IdleServer idle = last.take_server();
  const double peeking = cpu_nanoseconds();
  int quiet = 0;
  for (int i = 0; i < kRounds; ++i) quiet += idle.transport.peek() == IdleState::kQuiet ? 1 : 0;
  const double peek = nanoseconds_each(peeking);
  CHECK(quiet == kRounds);
  MESSAGE("nanoseconds: acquire and release ", awaited, ", take_idle and release ", direct,
          ", of these the look at the socket ", peek);
  // Generous, for builds that check everything: the figure is what the message is for.
  CHECK(direct < 100'000);
}
