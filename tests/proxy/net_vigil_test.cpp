// Hosts that vanish, and servers that are merely busy.
#include <linux/filter.h>
#include <sys/socket.h>

#include "base/codes/net.hpp"
#include "proxy/net/vigil.hpp"
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

struct Outcome {
  Result<std::size_t> got;
  SteadyClock::duration taken;
};

Task<Outcome> ask_under_vigil(Worker* worker, TransportBox box, std::chrono::milliseconds patience,
                              std::chrono::milliseconds idle_before) {
  const Vigil vigil(worker->deadlines(), box.get(), patience);
  Timer pause(worker->executor(), idle_before);
  auto pausing = pause.async_wait(kAwait);
  co_await std::move(pausing);
  const auto begun = SteadyClock::now();
  const ByteView question("question");
  const Status sent = co_await box->write(question);
  if (!sent) co_return Outcome{sent.error(), {}};
  char room[64];
  const Result<std::size_t> got = co_await box->read_some(room, sizeof room);
  co_return Outcome{got, SteadyClock::now() - begun};
}

Task<Status> write_under_vigil(Worker* worker, TransportBox box, std::size_t total,
                               std::chrono::milliseconds patience) {
  const Vigil vigil(worker->deadlines(), box.get(), patience);
  co_return co_await write_pattern(box, total, 1);
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

TEST_CASE("a connection ends once the host of its peer has vanished") {
  WorkerGroup group(1, {});
  group.start();
  for (const auto idle : {0ms, 600ms}) {
    auto [near, far] = tcp_pair();
    TransportBox box = adopt_box(group.at(0), std::move(near));
    vanish(far.get());
    const Outcome outcome = run(group.at(0), ask_under_vigil(&group.at(0), box, 400ms, idle));
    REQUIRE_FALSE(outcome.got);
    CHECK(outcome.got.error().code == pst::kTransportClosed);
    CHECK(outcome.taken >= 300ms);
    CHECK(outcome.taken < 20s);
  }
}

TEST_CASE("a peer that takes nothing for a while is waited for, and so is one that says nothing") {
  WorkerGroup group(1, {});
  group.start();
  Worker& worker = group.at(0);
  constexpr std::chrono::milliseconds kShort = 1200ms;
  constexpr std::size_t kMuch = 32u << 20;  // more than the buffers on the way hold
  auto [near, far] = tcp_pair();
  TransportBox writer = adopt_box(worker, std::move(near));
  auto writing = start(worker, write_under_vigil(&worker, writer, kMuch, kShort));
  auto [quiet_near, quiet_far] = tcp_pair();
  TransportBox asking = adopt_box(worker, std::move(quiet_near));
  auto asked = start(worker, ask_under_vigil(&worker, asking, kShort, 0ms));
  // Meanwhile probes of the closed window, each answered, come ever further apart.
  CHECK(writing.wait_for(5s) == std::future_status::timeout);
  CHECK(asked.wait_for(0s) == std::future_status::timeout);
  CHECK(::send(quiet_far.get(), "answer", 6, 0) == 6);
  CHECK(*finish(std::move(asked)).got == 6);
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
