#include <doctest/doctest.h>

#include "base/codes/pool.hpp"
#include "base/result.hpp"
#include "tests/proxy/pool_rig.hpp"

using namespace postern;
using namespace postern::test;
using namespace std::chrono_literals;
using Numbers = std::vector<int>;

namespace {

Error refused() {
  return make_error(pst::kUpstreamUnavailable, "connection refused");
}

}  // namespace

TEST_CASE("a pool opens up to its size, then makes takers wait in order") {
  PoolRig rig;
  const auto pool = rig.pool(2);
  rig.open(*pool, "a");
  rig.open(*pool, "a");
  CHECK(rig.acquire(*pool, "a").kind == GrantKind::kWait);
  CHECK(rig.acquire(*pool, "a").kind == GrantKind::kWait);

  rig.release(*pool, 7, "a");
  auto first = rig.handoffs();
  REQUIRE(first.size() == 1);
  CHECK(first[0].number == 3);
  CHECK(first[0].grant.kind == GrantKind::kUse);
  CHECK(first[0].grant.taken->connection == 7);
  rig.discard(*pool);
  auto second = rig.handoffs();
  REQUIRE(second.size() == 1);
  CHECK(second[0].number == 4);
  CHECK(second[0].grant.kind == GrantKind::kOpen);
  rig.set.opened(*pool, rig.now, rig.moves);
  rig.discard(*pool);
  CHECK(pool->total() == 1);
  CHECK(rig.database.used == 1);
}

TEST_CASE("an idle connection is never given to another identity, but makes room for it") {
  PoolRig rig;
  const auto pool = rig.pool(1);
  rig.open(*pool, "tenant-a");
  rig.release(*pool, 1, "tenant-a");
  const auto other = rig.acquire(*pool, "tenant-b");
  CHECK(other.kind == GrantKind::kOpen);
  CHECK_FALSE(other.taken);
  CHECK(rig.closed() == Numbers{1});
  CHECK(pool->total() == 1);
}

TEST_CASE("a waiter of another identity gets the slot, not the connection") {
  PoolRig rig;
  const auto pool = rig.pool(1);
  rig.open(*pool, "a");
  CHECK(rig.acquire(*pool, "b").kind == GrantKind::kWait);
  rig.release(*pool, 1, "a");
  const auto handoffs = rig.handoffs();
  REQUIRE(handoffs.size() == 1);
  CHECK(handoffs[0].number == 2);
  CHECK(handoffs[0].grant.kind == GrantKind::kOpen);
  CHECK(rig.closed() == Numbers{1});
}

TEST_CASE("the most recently used idle connection is taken first, the oldest expires first") {
  PoolRig rig;
  PoolSettings settings = PoolRig::sized(3);
  settings.server_idle_timeout = 10s;
  settings.min_pool_size = 1;
  const auto pool = rig.pool(settings);
  for (int i = 0; i < 3; ++i) rig.open(*pool, "a");
  for (int i = 0; i < 3; ++i, rig.pass(1s)) rig.release(*pool, i, "a");
  rig.pass(8s);  // 11 s, 10 s and 9 s idle
  rig.tend(*pool);
  CHECK(rig.closed() == Numbers{0});
  CHECK(rig.acquire(*pool, "a").taken->connection == 2);
  rig.release(*pool, 2, "a");
  rig.pass(1h);
  rig.tend(*pool);
  CHECK(rig.closed() == Numbers{1});  // never below the minimum
  CHECK(pool->idle() == 1);
}

TEST_CASE("cancelling removes a waiter once, and only while it waits") {
  PoolRig rig;
  const auto pool = rig.pool(1);
  rig.open(*pool, "a");
  CHECK(rig.acquire(*pool, "a").kind == GrantKind::kWait);
  CHECK(rig.set.cancel(*pool, 2));
  CHECK_FALSE(rig.set.cancel(*pool, 2));
  rig.release(*pool, 1, "a");
  CHECK(rig.handoffs().empty());
  CHECK(pool->idle() == 1);
  CHECK(rig.database.queue.empty());
}

TEST_CASE("the reserve serves who waited for it, and goes when nobody needs it") {
  PoolRig rig;
  PoolSettings settings = PoolRig::sized(1);
  settings.reserve_pool_size = 1;
  settings.reserve_timeout = 5s;
  const auto pool = rig.pool(settings);
  rig.open(*pool, "a");
  CHECK(rig.acquire(*pool, "a").kind == GrantKind::kWait);
  CHECK(rig.acquire(*pool, "a").kind == GrantKind::kWait);
  rig.pass(4'999ms);
  rig.tend(*pool);
  CHECK(rig.handoffs().empty());
  rig.pass(1ms);
  rig.tend(*pool);
  CHECK(rig.handoffs().size() == 1);
  CHECK(pool->total() == 2);
  rig.set.opened(*pool, rig.now, rig.moves);
  rig.release(*pool, 1, "a");
  CHECK(rig.handoffs().size() == 1);
  rig.release(*pool, 2, "a");
  CHECK(rig.closed() == Numbers{2});
  CHECK(pool->total() == 1);
}

TEST_CASE("a shared cap holds over pools, and its room goes to the longest waiter of all") {
  PoolRig rig;
  rig.database.limit = 2;
  const auto one = rig.pool(5);
  const auto two = rig.pool(5);
  rig.open(*one, "a");
  rig.open(*one, "a");
  CHECK(rig.acquire(*two, "a").kind == GrantKind::kWait);  // 3
  CHECK(rig.acquire(*one, "a").kind == GrantKind::kWait);  // 4
  rig.release(*one, 1, "a");
  auto handoffs = rig.handoffs();
  REQUIRE(handoffs.size() == 1);
  CHECK(handoffs[0].number == 3);
  CHECK(handoffs[0].pool == two.get());
  CHECK(rig.closed() == Numbers{1});
  rig.release(*one, 2, "a");
  handoffs = rig.handoffs();
  REQUIRE(handoffs.size() == 1);
  CHECK(handoffs[0].number == 4);
  CHECK(handoffs[0].grant.kind == GrantKind::kUse);
  CHECK(rig.database.used == 2);
}

TEST_CASE("an idle connection of another pool under the cap is given up, the oldest first") {
  PoolRig rig;
  rig.user.limit = 2;
  const auto one = rig.pool(1);
  const auto two = rig.pool(1);
  const auto three = rig.pool(1);
  rig.open(*one, "a");
  rig.open(*two, "a");
  rig.release(*two, 2, "a");
  rig.pass(1s);
  rig.release(*one, 1, "a");
  CHECK(rig.acquire(*three, "a").kind == GrantKind::kOpen);
  CHECK(rig.closed() == Numbers{2});
  CHECK(two->total() == 0);
  CHECK(rig.user.used == 2);
}

TEST_CASE("who needs room under two caps waits for both") {
  Set set;
  Set::Moves moves;
  SharedCap d1, d2, u1, u2;
  d1.limit = u1.limit = 1;
  d2.limit = u2.limit = 1;
  const auto settings = PoolRig::sized(1);
  Pool wanted(settings, &d1, &u1);
  Pool same_database(settings, &d1, &u2);
  Pool same_user(settings, &d2, &u1);
  Pool neither(settings, &d2, &u2);
  const SteadyTime now{};
  CHECK(set.acquire(same_database, "a", 1, now, moves).kind == GrantKind::kOpen);
  CHECK(set.acquire(same_user, "a", 2, now, moves).kind == GrantKind::kOpen);
  CHECK(set.acquire(neither, "a", 3, now, moves).kind == GrantKind::kWait);
  CHECK(set.acquire(wanted, "a", 4, now, moves).kind == GrantKind::kWait);
  set.discard(same_database, Stage::kOpening, now, moves);
  CHECK(moves.handoffs.empty());  // each of the two still lacks one cap
  set.discard(same_user, Stage::kOpening, now, moves);
  REQUIRE(moves.handoffs.size() == 2);
  CHECK(moves.handoffs[0].number == 3);
  CHECK(moves.handoffs[1].number == 4);
}

TEST_CASE("old connections go one after the other, when given back and while idle") {
  PoolRig rig;
  PoolSettings settings = PoolRig::sized(4);
  settings.server_lifetime = 100s;
  const auto pool = rig.pool(settings);
  const proxy::Tenure tenure{rig.now + 100s, 0};
  for (int i = 0; i < 4; ++i) rig.open(*pool, "a");
  rig.pass(99'999ms);
  for (int i = 0; i < 3; ++i) rig.release(*pool, i, "a", tenure);
  CHECK(rig.closed().empty());
  rig.pass(1ms);
  rig.release(*pool, 3, "a", tenure);
  CHECK(rig.closed() == Numbers{3});
  rig.tend(*pool);
  CHECK(rig.closed().empty());
  CHECK(pool->lifetime_gap() == 5s);
  rig.pass(5s);
  rig.tend(*pool);
  CHECK(rig.closed() == Numbers{0});
}

TEST_CASE("a server that cannot be logged in to fails everybody at once, and is tried sparingly") {
  PoolRig rig;
  const auto pool = rig.pool(1);
  CHECK(rig.acquire(*pool, "a").kind == GrantKind::kOpen);
  CHECK(rig.acquire(*pool, "a").kind == GrantKind::kWait);
  rig.set.failed(*pool, refused(), rig.now, rig.moves);
  const auto handoffs = rig.handoffs();
  REQUIRE(handoffs.size() == 1);
  CHECK(handoffs[0].grant.kind == GrantKind::kFail);
  CHECK(pool->total() == 0);
  CHECK(rig.acquire(*pool, "a").kind == GrantKind::kFail);

  for (const auto pause : {100ms, 200ms, 400ms, 800ms, 1000ms, 1000ms}) {
    rig.pass(pause - 1ms);
    CHECK(rig.acquire(*pool, "a").kind == GrantKind::kFail);
    rig.pass(1ms);
    CHECK(rig.acquire(*pool, "a").kind == GrantKind::kOpen);
    CHECK(rig.acquire(*pool, "a").kind == GrantKind::kFail);  // one attempt at a time
    rig.set.failed(*pool, refused(), rig.now, rig.moves);
  }
  rig.pass(1s);
  CHECK(rig.acquire(*pool, "a").kind == GrantKind::kOpen);
  rig.set.opened(*pool, rig.now, rig.moves);
  CHECK_FALSE(pool->failure.standing());
}

TEST_CASE("while a connection is alive a failure only stops new ones") {
  PoolRig rig;
  const auto pool = rig.pool(3);
  rig.open(*pool, "a");
  CHECK(rig.acquire(*pool, "a").kind == GrantKind::kOpen);
  rig.set.failed(*pool, refused(), rig.now, rig.moves);
  CHECK(rig.acquire(*pool, "a").kind == GrantKind::kWait);
  CHECK(rig.acquire(*pool, "a").kind == GrantKind::kWait);
  rig.release(*pool, 1, "a");
  REQUIRE(rig.handoffs().size() == 1);
  rig.pass(100ms);
  rig.tend(*pool);  // the next attempt is the longest waiter's
  auto handoffs = rig.handoffs();
  REQUIRE(handoffs.size() == 1);
  CHECK(handoffs[0].grant.kind == GrantKind::kOpen);
  CHECK(rig.acquire(*pool, "a").kind == GrantKind::kWait);
  rig.discard(*pool);  // the last one alive goes
  handoffs = rig.handoffs();
  REQUIRE(handoffs.size() == 1);
  CHECK(handoffs[0].grant.kind == GrantKind::kFail);
}

TEST_CASE("a paused pool gives nothing out and keeps nothing, a resumed one serves in order") {
  PoolRig rig;
  const auto pool = rig.pool(2);
  rig.open(*pool, "a");
  rig.open(*pool, "a");
  rig.release(*pool, 1, "a");
  rig.set.pause(*pool, rig.moves);
  CHECK(rig.closed() == Numbers{1});
  CHECK(rig.acquire(*pool, "a").kind == GrantKind::kWait);
  rig.release(*pool, 2, "a");
  CHECK(rig.closed() == Numbers{2});
  CHECK(pool->total() == 0);
  CHECK(rig.handoffs().empty());
  rig.set.resume(*pool, rig.now, rig.moves);
  CHECK(rig.handoffs().size() == 1);
}

TEST_CASE("pausing one pool makes its room under a cap another's") {
  PoolRig rig;
  rig.database.limit = 1;
  const auto one = rig.pool(1);
  const auto two = rig.pool(1);
  rig.open(*one, "a");
  CHECK(rig.acquire(*two, "a").kind == GrantKind::kWait);
  rig.set.pause(*one, rig.moves);
  rig.release(*one, 1, "a");
  CHECK(rig.handoffs().size() == 1);
}

TEST_CASE("reconnecting closes idle connections now, others when given back") {
  PoolRig rig;
  const auto pool = rig.pool(2);
  rig.open(*pool, "a");
  rig.open(*pool, "a");
  rig.release(*pool, 1, "a", {SteadyTime::max(), 0});
  rig.set.reconnect(*pool, rig.now, rig.moves);
  CHECK(rig.closed() == Numbers{1});
  rig.release(*pool, 2, "a", {SteadyTime::max(), 0});
  CHECK(rig.closed() == Numbers{2});
  rig.open(*pool, "a");
  rig.release(*pool, 3, "a", {SteadyTime::max(), 1});
  CHECK(rig.closed().empty());
}

TEST_CASE("prefilling stops at the minimum, and for anybody in need") {
  PoolRig rig;
  PoolSettings settings = PoolRig::sized(3);
  settings.min_pool_size = 2;
  const auto pool = rig.pool(settings);
  CHECK(rig.set.prefill(*pool, rig.now));
  CHECK(rig.set.prefill(*pool, rig.now));
  CHECK_FALSE(rig.set.prefill(*pool, rig.now));
  rig.set.discard(*pool, Stage::kOpening, rig.now, rig.moves);
  rig.database.limit = 1;
  CHECK_FALSE(rig.set.prefill(*pool, rig.now));
  rig.database.limit = 0;
  rig.set.pause(*pool, rig.moves);
  CHECK_FALSE(rig.set.prefill(*pool, rig.now));
}

TEST_CASE("a smaller size takes effect as connections come back") {
  PoolRig rig;
  const auto pool = rig.pool(3);
  for (int i = 0; i < 3; ++i) rig.open(*pool, "a");
  pool->settings.pool_size = 1;
  for (int i = 0; i < 3; ++i) rig.release(*pool, i, "a");
  CHECK(rig.closed() == Numbers{0, 1});
  CHECK(pool->total() == 1);
}
