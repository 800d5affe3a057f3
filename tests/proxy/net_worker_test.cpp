#include <algorithm>
#include <atomic>
#include <mutex>
#include <signal.h>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/proxy/net_rig.hpp"

using namespace postern;
using namespace postern::proxy;
using namespace postern::test;
using namespace std::chrono_literals;

namespace {

Task<void> throwing() {
  throw std::runtime_error("out of luck");
  co_return;
}

Task<std::thread::id> where_am_i() {
  co_return std::this_thread::get_id();
}

/// Tells another worker when it ends, as a session does that hands its server connection back.
struct Farewell {
  Farewell(Worker* w, std::atomic<int>* n) : worker(w), count(n) {}
  Farewell(const Farewell&) = delete;
  Farewell& operator=(const Farewell&) = delete;
  ~Farewell() {
    ++*count;
    worker->post([] {});
  }
  Worker* worker;
  std::atomic<int>* count;
};

Task<void> session_without_end(Worker* own, Worker* other, TransportBox box,
                               std::atomic<int>* destroyed) {
  const Farewell farewell(other, destroyed);
  Deadline deadline(own->deadlines(), [](void*) {}, nullptr);
  deadline.arm(SteadyClock::now() + 1h);
  ReadBuffer buffer(own->buffers(), 1000);
  const auto room = buffer.reserve(100);
  const Result<std::size_t> got = co_await box->read_some(room->data(), 100);
  (void)got;
}

Task<Status> count_turns(Worker* worker, TransportBox box, int* others) {
  // A peer that always has data must not starve what else the worker does.
  worker->post([others] { ++*others; });
  char byte = 0;
  for (unsigned i = 0; i < 2 * Transport::kMaxStreak; ++i) {
    const Result<std::size_t> got = co_await box->read_some(&byte, 1);
    if (!got) co_return got.error();
    if (*others > 0) co_return ok();
  }
  co_return make_error(pst::kInternal, "starved");
}

}  // namespace

TEST_CASE("posts and coroutines run on the worker's own thread, posts never inline") {
  WorkerGroup group(2, {});
  group.start();
  const auto a = run(group.at(0), where_am_i());
  const auto b = run(group.at(1), where_am_i());
  CHECK(a != b);
  CHECK(a != std::this_thread::get_id());
  std::promise<std::thread::id> seen;
  auto future = seen.get_future();
  group.at(0).post(
      [promise = std::move(seen)]() mutable { promise.set_value(std::this_thread::get_id()); });
  CHECK(finish(std::move(future)) == a);
}

TEST_CASE("what escapes from a handler or a coroutine is reported, and the worker goes on") {
  std::mutex mutex;
  std::vector<std::string> failures;
  WorkerOptions options;
  options.on_failure = [&](const std::string& text) {
    const std::lock_guard lock(mutex);
    failures.push_back(text);
  };
  WorkerGroup group(1, options);
  group.start();
  group.at(0).spawn(throwing());
  group.at(0).post([] { throw std::logic_error("handler"); });
  group.at(0).post([] { throw 1; });
  for (int i = 0; i < 10; ++i) {
    CHECK(run(group.at(0), where_am_i()) != std::this_thread::get_id());
  }
  const std::lock_guard lock(mutex);
  std::sort(failures.begin(), failures.end());
  CHECK(failures ==
        std::vector<std::string>{"an exception of unknown type", "handler", "out of luck"});
}

TEST_CASE("sessions still alive at the end are destroyed before any worker goes") {
  std::atomic<int> destroyed = 0;
  std::vector<UniqueFd> far_ends;
  {
    WorkerGroup group(2, {});
    group.start();
    for (int i = 0; i < 4; ++i) {
      auto [near, far] = tcp_pair();
      far_ends.push_back(std::move(far));
      Worker* own = &group.at(i % 2);
      Worker* other = &group.at((i + 1) % 2);
      own->spawn(session_without_end(own, other, adopt_box(*own, std::move(near)), &destroyed));
    }
    run(group.at(0), where_am_i());
    run(group.at(1), where_am_i());
    CHECK(destroyed == 0);
  }
  CHECK(destroyed == 4);
  for (const UniqueFd& far : far_ends) {
    char byte = 0;
    CHECK(::recv(far.get(), &byte, 1, 0) == 0);  // closed
  }
}

TEST_CASE("a connection that always has data gives other sessions their turn") {
  WorkerGroup group(1, {});
  group.start();
  auto [near, far] = tcp_pair();
  const Bytes data(1000, 'd');
  REQUIRE(::send(far.get(), data.data(), data.size(), 0) == 1000);
  TransportBox box = adopt_box(group.at(0), std::move(near));
  CHECK(run(group.at(0), wait_input(box)));
  int others = 0;
  CHECK(run(group.at(0), count_turns(&group.at(0), box, &others)));
}

TEST_CASE("workers take no signals") {
  static std::atomic<int> handled_elsewhere;
  static pthread_t main_thread;
  handled_elsewhere = 0;
  main_thread = pthread_self();
  struct sigaction action{};
  struct sigaction before{};
  action.sa_handler = [](int) {
    if (!pthread_equal(pthread_self(), main_thread)) ++handled_elsewhere;
  };
  ::sigaction(SIGUSR1, &action, &before);
  {
    WorkerGroup group(2, {});
    group.start();
    for (int i = 0; i < 20; ++i) ::kill(::getpid(), SIGUSR1);
    run(group.at(0), where_am_i());
  }
  ::sigaction(SIGUSR1, &before, nullptr);
  CHECK(handled_elsewhere == 0);
}

TEST_CASE("an idle worker does not tick; deadlines make it tick, and again after a pause") {
  WorkerGroup group(1, {});
  group.start();
  Worker& worker = group.at(0);
  for (int round = 0; round < 2; ++round) {
    std::promise<void> expired;
    auto future = expired.get_future();
    std::unique_ptr<Deadline> deadline;
    worker.post([&] {
      deadline = std::make_unique<Deadline>(
          worker.deadlines(), [](void* p) { static_cast<std::promise<void>*>(p)->set_value(); },
          &expired);
      deadline->arm(SteadyClock::now());
    });
    CHECK(future.wait_for(kPatience) == std::future_status::ready);
    std::promise<std::size_t> left;
    auto armed = left.get_future();
    worker.post([&] {
      deadline.reset();
      left.set_value(worker.deadlines()->armed());
    });
    CHECK(finish(std::move(armed)) == 0);
    std::this_thread::sleep_for(2 * Worker::kTick);
  }
}
