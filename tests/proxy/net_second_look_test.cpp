// News that comes together with bytes makes no edge of its own.
#include <sys/socket.h>
#include <thread>

#include "proxy/net/second_look.hpp"
#include "tests/proxy/net_rig.hpp"

using namespace postern;
using namespace postern::proxy;
using namespace postern::test;

namespace {

// The worker's thread does nothing else as long as this lives.
class Held {
 public:
  explicit Held(Worker& worker) {
    std::promise<void> holding;
    auto held = holding.get_future();
    worker.post([&holding, until = release_.get_future()]() mutable {
      holding.set_value();
      until.wait();
    });
    held.wait();
  }
  ~Held() { release_.set_value(); }

 private:
  std::promise<void> release_;
};

struct Pair {
  Worker worker{WorkerOptions{}};
  UniqueFd far;
  TransportBox box;

  Pair() {
    worker.start();
    auto [near, its] = tcp_pair();
    far = std::move(its);
    box = adopt_box(worker, std::move(near));
  }

  // A read waits; what `act` does meets it in one turn of the event loop.
  template <typename Act>
  Result<Bytes> read_what_comes_at_once(Act act) {
    auto reading = start(worker, read_once(box, 64));
    run(worker, wait_a_turn());  // it has begun
    {
      const Held held(worker);
      act();
    }
    return finish(std::move(reading));
  }

  static Task<int> wait_a_turn() { co_return 0; }
};

Task<IdleState> glance(TransportBox box) {
  co_return box->glance();
}

void reset(UniqueFd& fd) {
  const linger hard{1, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  fd.reset();
}

}  // namespace

TEST_CASE("the end of a stream is heard though it came with the last bytes") {
  Pair pair;
  const auto first = pair.read_what_comes_at_once([&] {
    REQUIRE(::send(pair.far.get(), "hello", 5, 0) == 5);
    REQUIRE(::shutdown(pair.far.get(), SHUT_WR) == 0);
  });
  REQUIRE(first);
  CHECK(*first == "hello");
  SUBCASE("by who reads") {
    const auto second = run(pair.worker, read_once(pair.box, 64));
    REQUIRE(second);
    CHECK(second->empty());
  }
  SUBCASE("by who waits without a buffer") {
    CHECK(run(pair.worker, wait_input(pair.box)));
  }
  SUBCASE("by who only glances") {
    const auto give_up = SteadyClock::now() + kPatience;
    while (run(pair.worker, glance(pair.box)) != IdleState::kGone) {
      REQUIRE(SteadyClock::now() < give_up);
      std::this_thread::yield();
    }
  }
}

TEST_CASE("a reset is heard though it came with the last bytes") {
  Pair pair;
  const auto first = pair.read_what_comes_at_once([&] {
    REQUIRE(::send(pair.far.get(), "hello", 5, 0) == 5);
    reset(pair.far);
  });
  if (first) {
    const auto second = run(pair.worker, read_once(pair.box, 64));
    // The error goes to whoever looks first; after it there is an end.
    CHECK((!second || second->empty()));
  }
}

TEST_CASE("bytes on both sides of an urgent one all arrive") {
  Pair pair;
  const auto first = pair.read_what_comes_at_once([&] {
    REQUIRE(::send(pair.far.get(), "ab", 2, 0) == 2);
    REQUIRE(::send(pair.far.get(), "!", 1, MSG_OOB) == 1);
    REQUIRE(::send(pair.far.get(), "cd", 2, 0) == 2);
  });
  REQUIRE(first);
  Bytes all = *first;
  while (all.size() < 4) {
    const auto more = run(pair.worker, read_once(pair.box, 64));
    REQUIRE(more);
    REQUIRE_FALSE(more->empty());
    all += *more;
  }
  CHECK(all == "abcd");
}

TEST_CASE("a long wait after a short read is neither ended nor repeated") {
  Pair pair;
  const auto first =
      pair.read_what_comes_at_once([&] { REQUIRE(::send(pair.far.get(), "hello", 5, 0) == 5); });
  REQUIRE(first);
  auto waiting = start(pair.worker, wait_input(pair.box));
  CHECK(waiting.wait_for(3 * SecondLook::kDelay) == std::future_status::timeout);
  REQUIRE(::send(pair.far.get(), "more", 4, 0) == 4);
  CHECK(finish(std::move(waiting)));
}
