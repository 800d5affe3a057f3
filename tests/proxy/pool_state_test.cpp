#include "proxy/pool/pool_state.hpp"

#include <memory>

#include <doctest/doctest.h>

using namespace postern::proxy;
using Pool = PoolState<std::unique_ptr<int>>;

namespace {

const SteadyTime kNow = SteadyTime{} + std::chrono::hours(1);

std::unique_ptr<int> server(int n) {
  return std::make_unique<int>(n);
}

}  // namespace

TEST_CASE("a pool opens up to its size, then makes takers wait in order") {
  Pool pool(2);
  CHECK(pool.acquire("a", 1).kind == GrantKind::kOpen);
  CHECK(pool.acquire("a", 2).kind == GrantKind::kOpen);
  CHECK(pool.acquire("a", 3).kind == GrantKind::kWait);
  CHECK(pool.acquire("a", 4).kind == GrantKind::kWait);

  auto first = pool.release(server(7), "a", kNow);
  REQUIRE(first.waiter);
  CHECK(*first.waiter == 3);
  CHECK(first.grant.kind == GrantKind::kUse);
  CHECK(**first.grant.connection == 7);
  CHECK(*pool.discard().waiter == 4);
  CHECK_FALSE(pool.discard().waiter);
  CHECK(pool.total() == 1);
}

TEST_CASE("an idle connection is never given to another identity, but makes room for it") {
  Pool pool(1);
  CHECK(pool.acquire("tenant-a", 1).kind == GrantKind::kOpen);
  pool.release(server(1), "tenant-a", kNow);
  auto other = pool.acquire("tenant-b", 2);
  CHECK(other.kind == GrantKind::kOpen);
  CHECK_FALSE(other.connection);
  CHECK(**other.evicted == 1);
  CHECK(pool.total() == 1);
}

TEST_CASE("a waiter of another identity gets the slot, not the connection") {
  Pool pool(1);
  CHECK(pool.acquire("a", 1).kind == GrantKind::kOpen);
  CHECK(pool.acquire("b", 2).kind == GrantKind::kWait);
  auto handoff = pool.release(server(1), "a", kNow);
  CHECK(*handoff.waiter == 2);
  CHECK(handoff.grant.kind == GrantKind::kOpen);
  CHECK(**handoff.grant.evicted == 1);
}

TEST_CASE("the most recently used idle connection is taken first, the oldest expires first") {
  Pool pool(3);
  for (std::uint64_t i = 0; i < 3; ++i) CHECK(pool.acquire("a", i).kind == GrantKind::kOpen);
  for (int i = 0; i < 3; ++i) pool.release(server(i), "a", kNow + std::chrono::seconds(i));
  auto expired = pool.expire(kNow + std::chrono::seconds(1));
  REQUIRE(expired.size() == 1);
  CHECK(*expired[0] == 0);
  CHECK(**pool.acquire("a", 9).connection == 2);
  CHECK(pool.total() == 2);
  CHECK(pool.drain().size() == 1);
  CHECK(pool.total() == 1);
}

TEST_CASE("cancelling removes a waiter once, and only while it waits") {
  Pool pool(1);
  CHECK(pool.acquire("a", 1).kind == GrantKind::kOpen);
  CHECK(pool.acquire("a", 2).kind == GrantKind::kWait);
  CHECK(pool.cancel(2));
  CHECK_FALSE(pool.cancel(2));
  CHECK_FALSE(pool.release(server(1), "a", kNow).waiter);
  CHECK(pool.idle() == 1);
}
