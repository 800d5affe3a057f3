// Thousands of random steps; after each, everything that must hold is recomputed the naive way.
#include <algorithm>
#include <array>
#include <map>
#include <random>

#include <doctest/doctest.h>

#include "base/codes/pool.hpp"
#include "base/result.hpp"
#include "tests/proxy/pool_rig.hpp"

using namespace postern;
using namespace postern::test;
using namespace std::chrono_literals;

namespace {

/// What the reference remembers of a pool: every connection, and everybody who waits.
struct Reference {
  struct Held {
    int connection;
    std::string identity;
    proxy::Tenure tenure;
  };
  std::unique_ptr<Pool> pool;
  std::size_t opening = 0;
  std::vector<Held> held;
  std::map<int, std::string> idle;  ///< identity by connection
  std::map<std::uint64_t, std::string> waiting;
  std::map<std::uint64_t, SteadyTime> since;

  [[nodiscard]] std::size_t total() const { return opening + held.size() + idle.size(); }
};

class Model {
 public:
  explicit Model(unsigned seed) : random_(seed) {
    databases_[0].limit = 4;
    users_[0].limit = 3;
    for (std::size_t i = 0; i < pools_.size(); ++i) {
      PoolSettings settings = PoolRig::sized(1 + i % 3);
      settings.reserve_pool_size = i % 2;
      settings.reserve_timeout = 300ms;
      settings.server_lifetime = 20s;
      settings.server_idle_timeout = 5s;
      settings.min_pool_size = i % 2;
      pools_[i].pool = std::make_unique<Pool>(settings, &databases_[i % 2], &users_[i / 2 % 2]);
    }
  }

  void step() {
    Reference& ref = pools_[pick(pools_.size())];
    now_ += std::chrono::milliseconds(pick(60));
    switch (pick(14)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return acquire(ref);
      case 4:
      case 5:
      case 6:
        return release(ref);
      case 7:
        return discard(ref);
      case 8:
      case 9:
        return opened(ref);
      case 10:
        return pick(3) == 0 ? failed(ref) : opened(ref);
      case 11:
        return cancel(ref);
      case 12:
        return tend(ref);
      default:
        return operate(ref);
    }
  }

  void check() {
    for (const Reference& ref : pools_) check_pool(ref);
    for (std::size_t i = 0; i < 2; ++i) {
      check_cap(databases_[i], [&](const Pool& pool) { return pool.database() == &databases_[i]; });
      check_cap(users_[i], [&](const Pool& pool) { return pool.user() == &users_[i]; });
    }
  }

  std::size_t served = 0;
  std::size_t evicted = 0;
  std::size_t refused = 0;

 private:
  std::size_t pick(std::size_t n) {
    return std::uniform_int_distribution<std::size_t>(0, n - 1)(random_);
  }

  void acquire(Reference& ref) {
    const std::string identity(1, static_cast<char>('a' + pick(2)));
    const std::uint64_t number = ++last_number_;
    const auto grant = set_.acquire(*ref.pool, identity, number, now_, moves_);
    if (grant.kind == GrantKind::kWait) {
      ref.waiting[number] = identity;
      ref.since[number] = now_;
    }
    carry_out();
    receive(ref, grant, identity);
  }
  void receive(Reference& ref, const Set::Grant& grant, const std::string& identity) {
    if (grant.kind == GrantKind::kOpen) ++ref.opening;
    if (grant.kind == GrantKind::kFail) {
      ++refused;
      REQUIRE(ref.pool->failure.standing());
    }
    if (grant.kind != GrantKind::kUse) return;
    const auto it = ref.idle.find(grant.taken->connection);
    REQUIRE(it != ref.idle.end());
    REQUIRE(it->second == identity);
    ref.held.push_back({it->first, identity, grant.taken->tenure});
    ref.idle.erase(it);
  }
  void release(Reference& ref) {
    if (ref.held.empty()) return;
    const auto held = take_held(ref);
    ref.idle[held.connection] = held.identity;
    set_.release(*ref.pool, {held.connection, held.identity, held.tenure, now_}, now_, moves_);
    carry_out();
  }
  void discard(Reference& ref) {
    if (!ref.held.empty() && pick(2) == 0) {
      take_held(ref);
      set_.discard(*ref.pool, Stage::kOpen, now_, moves_);
    } else if (ref.opening > 0) {
      --ref.opening;
      set_.discard(*ref.pool, Stage::kOpening, now_, moves_);
    }
    carry_out();
  }
  void opened(Reference& ref) {
    if (ref.opening == 0) return;
    --ref.opening;
    const proxy::Tenure tenure{now_ + 20s, ref.pool->generation};
    ref.held.push_back(
        {++last_connection_, std::string(1, static_cast<char>('a' + pick(2))), tenure});
    set_.opened(*ref.pool, now_, moves_);
    carry_out();
  }
  void failed(Reference& ref) {
    if (ref.opening == 0) return;
    --ref.opening;
    set_.failed(*ref.pool, make_error(pst::kUpstreamUnavailable), now_, moves_);
    carry_out();
  }
  void cancel(Reference& ref) {
    if (ref.waiting.empty()) return;
    const std::uint64_t number = ref.waiting.begin()->first;
    REQUIRE(set_.cancel(*ref.pool, number));
    REQUIRE_FALSE(set_.cancel(*ref.pool, number));
    ref.waiting.erase(number);
  }
  void tend(Reference&) {
    for (Reference& ref : pools_) set_.tend(*ref.pool, now_, moves_);
    carry_out();
  }
  void operate(Reference& ref) {
    switch (pick(6)) {
      case 0:
        set_.pause(*ref.pool, moves_);
        set_.settle(now_, moves_);
        break;
      case 1:
      case 2:
        set_.resume(*ref.pool, now_, moves_);
        break;
      case 3:
        set_.reconnect(*ref.pool, now_, moves_);
        break;
      case 4:
        if (set_.prefill(*ref.pool, now_)) ++ref.opening;
        break;
      default:
        ref.pool->settings.pool_size = 1 + pick(3);
        set_.settle_from(*ref.pool, now_, moves_);
    }
    carry_out();
  }
  Reference::Held take_held(Reference& ref) {
    const std::size_t i = pick(ref.held.size());
    const Reference::Held held = ref.held[i];
    ref.held.erase(ref.held.begin() + static_cast<std::ptrdiff_t>(i));
    return held;
  }

  Reference& of(const Pool* pool) {
    return *std::find_if(pools_.begin(), pools_.end(),
                         [&](const Reference& ref) { return ref.pool.get() == pool; });
  }
  void carry_out() {
    for (const auto& handoff : std::exchange(moves_.handoffs, {})) {
      Reference& ref = of(handoff.pool);
      const auto it = ref.waiting.find(handoff.number);
      REQUIRE(it != ref.waiting.end());  // once, and only who waits
      const std::string identity = it->second;
      // The longest of its pool, unless it alone fits what is idle while nothing can be opened.
      if (!ref.pool->failure.standing()) REQUIRE(it == ref.waiting.begin());
      ref.waiting.erase(it);
      if (handoff.grant.kind != GrantKind::kFail) check_fair(handoff.number, *handoff.pool);
      receive(ref, handoff.grant, identity);
      ++served;
    }
    for (const auto& closing : std::exchange(moves_.closing, {})) {
      REQUIRE(of(closing.pool).idle.erase(closing.connection) == 1);
      evicted += closing.reason == proxy::CloseReason::kEvicted ? 1 : 0;
    }
  }
  // Nobody of a pool under the same caps, with room in its own size, has waited longer.
  void check_fair(std::uint64_t number, const Pool& served_pool) {
    for (const Reference& other : pools_) {
      const Pool& pool = *other.pool;
      const bool same_caps =
          pool.database() == served_pool.database() && pool.user() == served_pool.user();
      const bool could =
          !pool.paused && !pool.failure.blocks(now_) && pool.total() < pool.settings.pool_size;
      if (!same_caps || !could || other.waiting.empty()) continue;
      REQUIRE(other.waiting.begin()->first > number);
    }
  }

  void check_pool(const Reference& ref) {
    const Pool& pool = *ref.pool;
    REQUIRE(pool.total() == ref.total());
    REQUIRE(pool.idle() == ref.idle.size());
    REQUIRE(pool.opening() == ref.opening);
    REQUIRE(pool.waiting() == ref.waiting.size());
    REQUIRE(pool.total() <= 3 + pool.settings.reserve_pool_size);
    if (pool.paused) REQUIRE(pool.idle() == 0);
    for (const auto& [number, identity] : ref.waiting) check_waiter(ref, number, identity);
  }
  // Recomputed from the lists: nothing that could serve this waiter lies idle.
  void check_waiter(const Reference& ref, std::uint64_t number, const std::string& identity) {
    const Pool& pool = *ref.pool;
    if (pool.paused) return;
    for (const auto& [connection, idle_identity] : ref.idle) REQUIRE(idle_identity != identity);
    const bool nobody_alive = ref.held.empty() && ref.idle.empty();
    if (pool.failure.standing() && nobody_alive) FAIL("waits for a server that is down");
    // Time passes between calls: what it brings is served by the next tend().
    if (pool.failure.standing() || now_ - ref.since.at(number) >= 300ms) return;
    REQUIRE(ref.idle.empty());
    if (ref.total() >= pool.settings.pool_size) return;
    bool in_the_way = false;
    for (const SharedCap* cap : pool.caps()) {
      if (cap->limit == 0 || used(cap) < cap->limit) continue;
      in_the_way = in_the_way || idle_under(cap) == 0;
    }
    REQUIRE(in_the_way);
  }
  static bool under(const Pool& pool, const SharedCap* cap) {
    return pool.database() == cap || pool.user() == cap;
  }
  std::size_t used(const SharedCap* cap) const {
    std::size_t sum = 0;
    for (const Reference& ref : pools_) sum += under(*ref.pool, cap) ? ref.total() : 0;
    return sum;
  }
  std::size_t idle_under(const SharedCap* cap) const {
    std::size_t sum = 0;
    for (const Reference& ref : pools_) sum += under(*ref.pool, cap) ? ref.idle.size() : 0;
    return sum;
  }
  template <typename Mine>
  void check_cap(const SharedCap& cap, Mine mine) {
    REQUIRE(cap.used == used(&cap));
    REQUIRE(cap.idle == idle_under(&cap));
    if (cap.limit != 0) REQUIRE(cap.used <= cap.limit);
    std::size_t queued = 0;
    for (const Reference& ref : pools_) queued += mine(*ref.pool) && ref.pool->waiting() > 0;
    REQUIRE(cap.queue.size() == queued);
  }

  std::mt19937 random_;
  std::array<SharedCap, 2> databases_;
  std::array<SharedCap, 2> users_;
  std::array<Reference, 6> pools_;
  Set set_;
  Set::Moves moves_;
  SteadyTime now_ = SteadyTime{} + 1h;
  std::uint64_t last_number_ = 0;
  int last_connection_ = 0;
};

}  // namespace

TEST_CASE("random steps keep every promise of the pools") {
  std::size_t served = 0;
  std::size_t evicted = 0;
  std::size_t refused = 0;
  for (unsigned seed = 1; seed <= 10; ++seed) {
    CAPTURE(seed);
    Model model(seed);
    for (int step = 0; step < 4'000; ++step) {
      CAPTURE(step);
      model.step();
      model.check();
    }
    served += model.served;
    evicted += model.evicted;
    refused += model.refused;
  }
  // The walk went where it matters.
  CHECK(served > 5'000);
  CHECK(evicted > 500);
  CHECK(refused > 1'000);
  MESSAGE("served ", served, ", evicted ", evicted, ", refused ", refused);
}
