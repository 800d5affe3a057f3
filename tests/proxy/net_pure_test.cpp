#include <array>
#include <numeric>
#include <vector>

#include <doctest/doctest.h>

#include "base/codes/net.hpp"
#include "proxy/net/codec_buffer.hpp"
#include "proxy/net/deadline.hpp"
#include "proxy/net/endpoint.hpp"
#include "proxy/net/gather.hpp"

using namespace postern;
using namespace postern::proxy;
using namespace std::chrono_literals;

namespace {

void put(ReadBuffer& buffer, ByteView bytes) {
  auto room = buffer.reserve(bytes.size());
  REQUIRE(room);
  REQUIRE(room->size() >= bytes.size());
  bytes.copy(room->data(), bytes.size());
  buffer.commit(bytes.size());
}

const DeadlineList::Time kStart{};

struct Counter {
  int calls = 0;
  Deadline* other = nullptr;
  static void count(void* self) { ++static_cast<Counter*>(self)->calls; }
  static void count_and_disarm(void* self) {
    count(self);
    static_cast<Counter*>(self)->other->disarm();
  }
  static void count_and_rearm(void* self) {
    count(self);
    static_cast<Counter*>(self)->other->arm(kStart + 1h);
  }
};

Endpoint parsed(std::string_view text) {
  auto endpoint = Endpoint::parse(text, 5432);
  CAPTURE(text);
  REQUIRE(endpoint);
  return *endpoint;
}

}  // namespace

TEST_CASE("read buffer: reserve, commit, consume, and memory only while needed") {
  BufferPool pool;
  ReadBuffer buffer(&pool, 1 << 20);
  CHECK(buffer.capacity() == 0);
  CHECK(buffer.unread().empty());
  put(buffer, "hello world");
  CHECK(buffer.capacity() == BufferPool::kSmallest);
  CHECK(buffer.unread() == "hello world");
  const ByteView view = buffer.unread();
  buffer.consume(6);
  CHECK(buffer.unread() == "world");
  CHECK(view == "hello world");  // consume moves nothing
  buffer.consume(5);
  CHECK(buffer.empty());
  buffer.trim();
  CHECK(buffer.capacity() == 0);
  CHECK(pool.idle_bytes() == BufferPool::kSmallest);
  put(buffer, "again");
  CHECK(pool.idle_bytes() == 0);
  CHECK(buffer.unread() == "again");
}

TEST_CASE("read buffer: grows by powers of two, compacts first, shrinks on trim") {
  BufferPool pool;
  ReadBuffer buffer(&pool, 1 << 20);
  put(buffer, Bytes(8000, 'a'));
  buffer.consume(7900);
  put(buffer, Bytes(8000, 'b'));  // fits after moving 100 bytes to the front
  CHECK(buffer.capacity() == 8192);
  CHECK(buffer.unread() == Bytes(100, 'a') + Bytes(8000, 'b'));
  put(buffer, Bytes(8192, 'c'));
  CHECK(buffer.capacity() == 16384 * 1);
  put(buffer, Bytes(100, 'd'));
  CHECK(buffer.capacity() == 32768);
  buffer.consume(100 + 8000 + 8192);
  buffer.trim();
  CHECK(buffer.capacity() == 8192);
  CHECK(buffer.unread() == Bytes(100, 'd'));
}

TEST_CASE("read buffer: the maximum holds at the limit and one past it") {
  BufferPool pool;
  ReadBuffer buffer(&pool, 10000);
  auto room = buffer.reserve(1);
  REQUIRE(room);
  CHECK(room->size() == 8192);
  room = buffer.reserve(10000);
  REQUIRE(room);
  CHECK(room->size() == 10000);
  const auto refused = buffer.reserve(10001);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == pst::kBufferLimit);
  buffer.commit(0);
  put(buffer, Bytes(9999, 'x'));
  CHECK(buffer.reserve(1));
  CHECK_FALSE(buffer.reserve(2));
  CHECK_FALSE(buffer.reserve(static_cast<std::size_t>(-1)));
  buffer.consume(9999);
  CHECK(buffer.reserve(10000));
}

TEST_CASE("read buffer: moving takes memory and content along") {
  BufferPool pool;
  ReadBuffer a(&pool, 100);
  put(a, "content");
  ReadBuffer b(std::move(a));
  CHECK(b.unread() == "content");
  CHECK(a.empty());
  ReadBuffer c(&pool, 100);
  put(c, "other");
  c = std::move(b);
  CHECK(c.unread() == "content");
  CHECK(pool.idle_bytes() == BufferPool::kSmallest);
}

TEST_CASE("buffer pool: keeps what is small, up to its limit") {
  BufferPool pool;
  pool.give(pool.take(BufferPool::kLargestKept));
  CHECK(pool.idle_bytes() == BufferPool::kLargestKept);
  pool.give(pool.take(BufferPool::kLargestKept + 1));
  CHECK(pool.idle_bytes() == BufferPool::kLargestKept);
  pool.give({});
  std::vector<BufferBlock> blocks;
  for (std::size_t i = 0; i * BufferPool::kLargestKept <= BufferPool::kMaxIdleBytes; ++i) {
    blocks.push_back(pool.take(BufferPool::kLargestKept));
  }
  CHECK(pool.idle_bytes() == 0);
  for (BufferBlock& block : blocks) pool.give(std::move(block));
  CHECK(pool.idle_bytes() == BufferPool::kMaxIdleBytes);  // one more was offered
}

TEST_CASE("deadlines expire once, at their time, not before") {
  DeadlineList list;
  Counter a;
  Counter b;
  Deadline first(&list, &Counter::count, &a);
  Deadline second(&list, &Counter::count, &b);
  first.arm(kStart + 10ms);
  second.arm(kStart + 20ms);
  CHECK(list.armed() == 2);
  CHECK(list.sweep(kStart + 9ms) == 0);
  CHECK(list.sweep(kStart + 10ms) == 1);
  CHECK(first.expired());
  CHECK_FALSE(first.is_armed());
  CHECK_FALSE(second.expired());
  second.arm(kStart + 50ms);  // moved
  CHECK(list.sweep(kStart + 49ms) == 0);
  first.arm(kStart + 60ms);
  CHECK_FALSE(first.expired());
  CHECK(list.sweep(kStart + 1h) == 2);
  CHECK(a.calls == 2);
  CHECK(b.calls == 1);
  CHECK(list.armed() == 0);
}

TEST_CASE("a deadline's callback may disarm its neighbours or arm again") {
  for (const bool newest_first : {false, true}) {
    DeadlineList list;
    Counter a;
    Deadline early(&list, &Counter::count_and_disarm, &a);
    Deadline late(&list, &Counter::count_and_disarm, &a);
    a.other = newest_first ? &early : &late;
    (newest_first ? early : late).arm(kStart);
    (newest_first ? late : early).arm(kStart);
    CHECK(list.sweep(kStart) == 1);
    CHECK(a.calls == 1);
    CHECK(list.armed() == 0);
  }
  DeadlineList list;
  Counter a;
  Deadline again(&list, &Counter::count_and_rearm, &a);
  a.other = &again;
  again.arm(kStart);
  CHECK(list.sweep(kStart) == 1);
  CHECK(again.is_armed());
}

TEST_CASE("deadlines leave the list when destroyed, and the first one armed is announced") {
  DeadlineList list;
  Counter owner;
  int announced = 0;
  list.on_first([](void* n) { ++*static_cast<int*>(n); }, &announced);
  {
    Deadline a(&list, &Counter::count, &owner);
    Deadline b(&list, &Counter::count, &owner);
    a.arm(kStart);
    b.arm(kStart);
    CHECK(announced == 1);
  }
  CHECK(list.armed() == 0);
  CHECK(list.sweep(kStart + 1h) == 0);
  Deadline c(&list, &Counter::count, &owner);
  c.arm(kStart);
  CHECK(announced == 2);
}

TEST_CASE("endpoints: what is understood") {
  CHECK(parsed("db.example.com:6432") == Endpoint{"db.example.com", 6432, ""});
  CHECK(parsed("127.0.0.1") == Endpoint{"127.0.0.1", 5432, ""});
  CHECK(parsed("[::1]:1") == Endpoint{"::1", 1, ""});
  CHECK(parsed("[fe80::1%eth0]") == Endpoint{"fe80::1%eth0", 5432, ""});
  CHECK(parsed("*:65535") == Endpoint{"*", 65535, ""});
  CHECK(parsed("/run/postern/.s.PGSQL.6432").is_unix());
  CHECK(parsed("[::1]:1").text() == "[::1]:1");
  CHECK(parsed("h:1").text() == "h:1");
  CHECK(parsed("/a/b").text() == "/a/b");
  CHECK(parsed("/" + std::string(Endpoint::kMaxUnixPath - 1, 'p')).is_unix());
  CHECK(parsed(std::string(Endpoint::kMaxHost, 'h')).port == 5432);
}

TEST_CASE("endpoints: what is refused") {
  const std::string long_path = "/" + std::string(Endpoint::kMaxUnixPath, 'p');
  const std::string long_host(Endpoint::kMaxHost + 1, 'h');
  for (const std::string& text :
       {std::string(), std::string(":5432"), std::string("h:"), std::string("h:65536"),
        std::string("h:1x"), std::string("h:-1"), std::string("::1"), std::string("[::1"),
        std::string("[::1]5432"), std::string("a b:1"), std::string("h\n:1"),
        std::string("/a\0b", 4), std::string("[]:1"), long_path, long_host}) {
    CAPTURE(text);
    const auto endpoint = Endpoint::parse(text, 5432);
    REQUIRE_FALSE(endpoint);
    CHECK(endpoint.error().code == pst::kAddressSyntax);
  }
}

TEST_CASE("gather: any advance leaves exactly the rest") {
  const std::array<ByteView, 6> views = {"", "abc", "", "d", "efghij", ""};
  const Bytes all = "abcdefghij";
  for (std::size_t first = 0; first <= all.size(); ++first) {
    for (std::size_t scratch_size = 1; scratch_size <= all.size(); ++scratch_size) {
      Gather left(views);
      left.advance(first);
      std::array<ByteView, 2> next;
      const std::size_t count = left.peek(next);
      CHECK(count == std::min<std::size_t>(2, (first < 3) + (first < 4) + (first < 10)));
      Bytes rest;
      Bytes scratch(scratch_size, '\0');
      while (!left.done()) {
        const ByteView piece = left.take(scratch);
        REQUIRE_FALSE(piece.empty());
        REQUIRE(piece.size() <= scratch_size);
        rest += piece;
      }
      CHECK(rest == all.substr(first));
    }
  }
  CHECK(Gather(std::span<const ByteView>()).done());
}
