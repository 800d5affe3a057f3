// Hosts that vanish, and servers that are merely busy.
#include <linux/filter.h>
#include <optional>
#include <sys/socket.h>
#include <thread>

#include "proxy/net/silence.hpp"
#include "tests/proxy/net_rig.hpp"

using namespace postern;
using namespace postern::proxy;
using namespace postern::test;
using namespace std::chrono_literals;

namespace {

// What arrives for this socket is dropped in front of TCP: its host answers nothing any more.
void vanish(int fd) {
  sock_filter drop{BPF_RET | BPF_K, 0, 0, 0};
  const sock_fprog program{1, &drop};
  REQUIRE(::setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0);
}

// Looks again and again, until the host has been silent for `patience`: how long that took; nullopt
// where it was not within `most`.
Task<std::optional<SteadyClock::duration>> until_silent(Worker* worker, TransportBox box,
                                                        std::chrono::milliseconds patience,
                                                        std::chrono::milliseconds most) {
  const auto begun = SteadyClock::now();
  Silence silence;
  Timer timer(worker->executor());
  while (SteadyClock::now() - begun < most) {
    timer.expires_after(100ms);
    auto pausing = timer.async_wait(kAwait);
    co_await std::move(pausing);
    const auto now = SteadyClock::now();
    if (silence.observe(box->acknowledgement(), now) >= patience) co_return now - begun;
  }
  co_return std::nullopt;
}

Task<Status> write_text(TransportBox box, std::string text) {
  const ByteView view(text);
  co_return co_await box->write(view);
}

}  // namespace

TEST_CASE("silence counts from where something was outstanding, and any answer ends it") {
  const Silence::Time start{};
  Silence silence;
  CHECK(silence.observe({false, 1h}, start) == 0ms);
  // What was answered an hour ago says nothing about what was sent just now.
  CHECK(silence.observe({true, 1h}, start + 1s) == 0ms);
  CHECK(silence.observe({true, 1h + 4s}, start + 5s) == 4s);
  // An answer to some of it came a second ago.
  CHECK(silence.observe({true, 1s}, start + 6s + 1ms) == 0ms);
  CHECK(silence.observe({true, 3s}, start + 8s + 1ms) == 2s);
  CHECK(silence.observe({false, 1s}, start + 9s) == 0ms);
  CHECK(silence.observe({true, 2s}, start + 10s) == 0ms);
}

TEST_CASE("a host that has vanished is silent") {
  WorkerGroup group(1, {});
  group.start();
  Worker& worker = group.at(0);
  for (const auto idle : {0ms, 600ms}) {
    auto [near, far] = tcp_pair();
    TransportBox box = adopt_box(worker, std::move(near));
    vanish(far.get());
    std::this_thread::sleep_for(idle);
    REQUIRE(run(worker, write_text(box, "question")));
    const auto taken = run(worker, until_silent(&worker, box, 400ms, 20s));
    REQUIRE(taken);
    CHECK(*taken >= 300ms);
  }
}

TEST_CASE("a host whose program takes or says nothing for a while is not silent") {
  WorkerGroup group(1, {});
  group.start();
  Worker& worker = group.at(0);
  constexpr std::size_t kMuch = 32u << 20;  // more than the buffers on the way hold
  auto [near, far] = tcp_pair();
  TransportBox writer = adopt_box(worker, std::move(near));
  auto writing = start(worker, write_pattern(writer, kMuch, 1));
  auto [quiet_near, quiet_far] = tcp_pair();
  TransportBox asking = adopt_box(worker, std::move(quiet_near));
  REQUIRE(run(worker, write_text(asking, "question")));
  // Meanwhile probes of the closed window, each answered, come ever further apart.
  auto quiet = start(worker, until_silent(&worker, asking, 1200ms, 5s));
  CHECK_FALSE(run(worker, until_silent(&worker, writer, 1200ms, 5s)));
  CHECK_FALSE(finish(std::move(quiet)));
  TransportBox reader = adopt_box(worker, std::move(far));
  CHECK(run(worker, read_pattern(reader, kMuch, 1)));
  CHECK(finish(std::move(writing)));
}

TEST_CASE("nothing is outstanding on a unix socket") {
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  const UniqueFd one(ends[0]);
  const UniqueFd other(ends[1]);
  REQUIRE(::send(one.get(), "x", 1, 0) == 1);
  CHECK_FALSE(acknowledgement(one.get()).outstanding);
}
