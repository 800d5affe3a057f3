// The coroutine type: ends without waiting, waits, fails, and goes with its io_context.
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include <boost/asio/post.hpp>
#include <doctest/doctest.h>

#include "base/result.hpp"
#include "proxy/net/asio.hpp"
#include "proxy/net/event.hpp"
#include "proxy/net/frame_pool.hpp"

namespace postern::proxy {
namespace {

/// One thread that is ours: what has been posted runs in run().
struct Loop {
  asio::io_context io{1};

  void start(Task<void> task) {
    start_task(io.get_executor(), std::move(task), [this](std::exception_ptr why) {
      ended = true;
      failure = std::move(why);
    });
  }
  bool ended = false;
  std::exception_ptr failure;
};

Task<int> at_once(int value) {
  co_return value;
}

Task<int> after_a_turn(Executor executor, int value) {
  auto operation = asio::post(executor, kAwait);
  co_await std::move(operation);
  co_return value;
}

Task<int> failing(Executor executor, bool waits) {
  if (waits) (void)co_await after_a_turn(executor, 0);
  throw std::runtime_error("planted");
}

Task<void> add_up(Executor executor, long times, long* sum) {
  for (long i = 0; i < times; ++i) {
    *sum += co_await at_once(1);
    // Now and then from the bottom of a fresh stack.
    if (i % 1000 == 0) *sum += co_await after_a_turn(executor, 0);
  }
}

Task<void> catch_failure(Executor executor, bool waits, std::string* caught) {
  try {
    (void)co_await failing(executor, waits);
  } catch (const std::runtime_error& error) {
    *caught = error.what();
  }
}

Task<void> let_fail(Executor executor) {
  (void)co_await failing(executor, true);
}

struct Counted {
  explicit Counted(int* gone) : gone_(gone) {}
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
  ~Counted() { ++*gone_; }
  int* gone_;
};

Task<void> wait_for_ever(Event* event, int* gone) {
  const Counted counted(gone);
  co_await event->wait();
}

Task<void> outer(Executor executor, int* gone) {
  const Counted counted(gone);
  Event event(executor);
  co_await wait_for_ever(&event, gone);
}

// Short strings point into themselves: a result that was moved byte by byte would show.
Result<std::string> outcome_of(int turn) {
  if (turn % 3 == 0) return make_error(pst::kInternal, "odd " + std::to_string(turn));
  return "even " + std::to_string(turn);
}

Task<Result<std::string>> outcome_later(Executor executor, int turn) {
  (void)co_await after_a_turn(executor, turn);
  co_return outcome_of(turn);
}

Prompt<Result<std::string>> prompt_or_later(Executor executor, int turn) {
  if (turn % 2 == 0) return outcome_of(turn);
  return outcome_later(executor, turn);
}

bool as_expected(const Result<std::string>& got, int turn) {
  const Result<std::string> expected = outcome_of(turn);
  if (got.has_value() != expected.has_value()) return false;
  return got ? *got == *expected : got.error().what == expected.error().what;
}

Task<void> await_prompts(Executor executor, int times, int* right) {
  for (int i = 0; i < times; ++i) {
    const Result<std::string> at_once = co_await prompt_or_later(executor, i);
    Prompt<Result<std::string>> kept = prompt_or_later(executor, i);
    const bool has_result = kept.result() != nullptr;
    Prompt<Result<std::string>> moved = std::move(kept);
    const Result<std::string> later = co_await std::move(moved);
    const bool same = as_expected(at_once, i) && as_expected(later, i);
    if (same && has_result == (i % 2 == 0)) ++*right;
  }
}

}  // namespace

TEST_CASE("a prompt gives its result at once or after a wait") {
  constexpr int kTimes = 60;
  Loop loop;
  int right = 0;
  loop.start(await_prompts(loop.io.get_executor(), kTimes, &right));
  loop.io.run();
  CHECK(loop.ended);
  CHECK(right == kTimes);
}

TEST_CASE("a million tasks that do not wait need no stack") {
  Loop loop;
  long sum = 0;
  loop.start(add_up(loop.io.get_executor(), 1'000'000, &sum));
  loop.io.run();
  CHECK(loop.ended);
  CHECK(sum == 1'000'000);
}

TEST_CASE("a failure reaches who awaits it, before and after a wait") {
  for (const bool waits : {false, true}) {
    Loop loop;
    std::string caught;
    loop.start(catch_failure(loop.io.get_executor(), waits, &caught));
    loop.io.run();
    CHECK(caught == "planted");
    CHECK(loop.ended);
    CHECK(loop.failure == nullptr);
  }
}

TEST_CASE("a failure nobody takes is handed to the end of the task") {
  Loop loop;
  loop.start(let_fail(loop.io.get_executor()));
  loop.io.run();
  CHECK(loop.ended);
  CHECK_THROWS_AS(std::rethrow_exception(loop.failure), std::runtime_error);
}

TEST_CASE("a chain that waits goes with its io_context, every frame once") {
  int gone = 0;
  bool ended = false;
  {
    auto io = std::make_unique<asio::io_context>(1);
    start_task(io->get_executor(), outer(io->get_executor(), &gone),
               [&ended](std::exception_ptr) { ended = true; });
    io->poll();
    CHECK(gone == 0);
    io.reset();
    CHECK(gone == 2);
  }
  CHECK_FALSE(ended);
}

TEST_CASE("a task that was never awaited goes quietly") {
  int gone = 0;
  asio::io_context io(1);
  {
    const Task<void> unused = outer(io.get_executor(), &gone);
  }
  CHECK(gone == 0);
}

TEST_CASE("frames of every size come and go") {
  for (std::size_t size = 1; size <= FramePool::kLargest + 1; size += 31) {
    void* first = FramePool::take(size);
    void* second = FramePool::take(size);
    CHECK(first != second);
    FramePool::give(first, size);
    FramePool::give(second, size);
  }
}

}  // namespace postern::proxy
