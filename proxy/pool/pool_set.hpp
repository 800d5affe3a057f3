// The rules of pools that share caps: who gets a server connection, who waits, which idle
// connection is given up. Pure, as pool_state.hpp.
//
// Invariant, after every call: nobody waits who could be served. So nobody waits while an idle
// connection of its pool and identity exists, nor while an idle connection anywhere is all that is
// in its way; and what becomes free goes to the longest waiter, of any pool, that it can help.
// Exempt are paused pools, and pools whose server cannot be logged in to.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "proxy/pool/pool_state.hpp"

namespace postern::proxy {

/// What a taker is told.
enum class GrantKind : std::uint8_t {
  kUse,   ///< take `taken`
  kOpen,  ///< a slot is reserved: open a connection, later opened(), failed() or discard()
  kWait,  ///< queued under its number
  kFail,  ///< the pool's failure stands and no connection of it is alive
};

/// Why a connection is to be closed.
enum class CloseReason : std::uint8_t {
  kEvicted,   ///< it made room for another taker
  kExpired,   ///< unused for too long, or too old
  kOutdated,  ///< paused, reconnected, or beyond the pool's size
};

template <typename Connection, typename Identity>
class PoolSet {
 public:
  using Pool = PoolState<Connection, Identity>;
  using Idle = typename Pool::Idle;

  struct Grant {
    GrantKind kind = GrantKind::kWait;
    std::optional<Idle> taken;  ///< kUse
  };
  /// For a waiter that waits no longer: kUse, kOpen or kFail.
  struct Handoff {
    std::uint64_t number;
    Pool* pool;
    Grant grant;
  };
  struct Closing {
    Pool* pool;
    Connection connection;
    CloseReason reason;
  };
  /// What a call brought about besides its answer; the caller carries it out.
  struct Moves {
    std::vector<Handoff> handoffs;
    std::vector<Closing> closing;
  };

  /// `number` is greater than that of every earlier call on any pool of the set.
  Grant acquire(Pool& pool, const Identity& identity, std::uint64_t number, SteadyTime now,
                Moves& moves) {
    if (const auto plan = plan_for(pool, identity, now, now)) {
      Grant grant = carry_out(pool, *plan, moves);
      settle(now, moves);
      return grant;
    }
    if (fails_at_once(pool)) return {GrantKind::kFail, {}};
    pool.push_waiter(number, {identity, now});
    return {};
  }

  /// The connection for a slot of kOpen stands.
  void opened(Pool& pool, SteadyTime now, Moves& moves) {
    pool.end_opening();
    if (!pool.failure.standing()) return;
    pool.failure.clear();
    settle_from(pool, now, moves);
  }

  /// It could not be opened: the slot is free, and who waits hears of it at once where no
  /// connection of the pool is alive.
  void failed(Pool& pool, Error error, SteadyTime now, Moves& moves) {
    pool.failure.note(std::move(error), now, pool.settings.login_retry);
    pool.end_opening();
    pool.drop_slot();
    settle_from(pool, now, moves);
  }

  /// A connection in use becomes free; it is kept, handed on or closed.
  void release(Pool& pool, Idle entry, SteadyTime now, Moves& moves) {
    const bool surplus = pool.beyond_size();
    const bool outdated = pool.paused || surplus || pool.outdated(entry.tenure);
    if (outdated || pool.claim_expiry(entry.tenure, now)) {
      close(pool, std::move(entry.connection),
            outdated ? CloseReason::kOutdated : CloseReason::kExpired, moves);
    } else {
      entry.since = now;
      pool.push_idle(std::move(entry));
    }
    if (waiters_near(pool)) settle_from(pool, now, moves);
  }

  /// A connection in use, or a slot of kOpen without verdict, is gone.
  void discard(Pool& pool, Stage stage, SteadyTime now, Moves& moves) {
    if (stage == Stage::kOpening) {
      pool.end_opening();
      pool.failure.end_probe();
    }
    pool.drop_slot();
    settle_from(pool, now, moves);
  }

  /// The waiter gives up. False: it was already served, and what it was granted is its own to give
  /// back.
  bool cancel(Pool& pool, std::uint64_t number) { return pool.drop_waiter(number); }

  /// What time brings: idle connections too old or too long unused, the reserve for who waited long
  /// enough, the next attempt at a failing server. Called every few 100 ms.
  void tend(Pool& pool, SteadyTime now, Moves& moves) {
    close_old(pool, now, moves);
    if (pool.settings.server_idle_timeout.count() > 0) {
      close_unused(pool, now - pool.settings.server_idle_timeout, moves);
    }
    settle_from(pool, now, moves);
  }

  /// A connection given out turned out to be dead: its holder keeps the slot, to open another.
  void lost(Pool& pool, SteadyTime now, Moves& moves) {
    pool.begin_opening();
    if (pool.failure.standing()) settle_from(pool, now, moves);
  }

  /// Nothing is given out until resume(), and nothing kept; all is given back when total() is 0.
  /// settle() after the last of several.
  void pause(Pool& pool, Moves& moves) {
    pool.paused = true;
    drain(pool, moves);
  }
  void resume(Pool& pool, SteadyTime now, Moves& moves) {
    pool.paused = false;
    settle_from(pool, now, moves);
  }
  /// Connections opened so far are not given to anybody any more.
  void reconnect(Pool& pool, SteadyTime now, Moves& moves) {
    ++pool.generation;
    drain(pool, moves);
    settle_from(pool, now, moves);
  }
  /// Closes every idle connection. settle() afterwards: others may have waited for the room.
  void drain(Pool& pool, Moves& moves) {
    while (pool.idle() > 0) {
      close(pool, pool.take_idle(0).connection, CloseReason::kOutdated, moves);
    }
    touched_.push_back(&pool);
  }

  /// A slot for a connection that nobody asked for, to hold min_pool_size: granted only where
  /// nobody is in need of it. True: as kOpen.
  bool prefill(Pool& pool, SteadyTime now) {
    const std::size_t least = std::min(pool.settings.min_pool_size, pool.settings.pool_size);
    if (pool.total() >= least || pool.paused || pool.failure.blocks(now)) return false;
    if (waiters_near(pool)) return false;
    for (const auto* cap : pool.caps()) {
      if (cap != nullptr && cap->full()) return false;
    }
    pool.add_slot();
    pool.begin_opening();
    return true;
  }

  /// Serves the waiters that what became free in the touched pools can help, the longest first.
  void settle(SteadyTime now, Moves& moves) {
    while (!touched_.empty()) {
      Pool& pool = *touched_.back();
      touched_.pop_back();
      while (serve_one(pool, now, moves)) {
      }
    }
  }

  /// Serves whoever can be served after limits or settings of `pool` changed.
  void settle_from(Pool& pool, SteadyTime now, Moves& moves) {
    touched_.push_back(&pool);
    settle(now, moves);
  }

 private:
  using SharedCap = typename Pool::SharedCap;

  /// How a taker can be served, decided before anything is touched.
  struct Plan {
    GrantKind kind = GrantKind::kOpen;
    std::size_t use = 0;             ///< kUse: which idle connection
    bool own = false;                ///< kOpen: in the slot of the pool's oldest idle one
    std::array<Pool*, 2> victims{};  ///< kOpen: pools that give up their oldest idle one
  };

  std::optional<Plan> plan_for(const Pool& pool, const Identity& identity, SteadyTime since,
                               SteadyTime now) const {
    if (pool.paused) return std::nullopt;
    if (const auto index = pool.find_idle(identity))
      return Plan{GrantKind::kUse, *index, false, {}};
    if (pool.failure.blocks(now)) return std::nullopt;
    Plan plan;
    if (pool.has_room(since, now)) {
      if (caps_have_room(pool)) return plan;
      plan.own = pool.idle() > 0;
      if (plan.own || find_victims(pool, plan)) return plan;
      return std::nullopt;
    }
    plan.own = pool.idle() > 0;
    if (plan.own) return plan;
    return std::nullopt;
  }

  static bool caps_have_room(const Pool& pool) {
    for (const SharedCap* cap : pool.caps()) {
      if (cap != nullptr && cap->full()) return false;
    }
    return true;
  }

  // One idle connection frees every full cap it is under; else one for each full cap.
  static bool find_victims(const Pool& pool, Plan& plan) {
    std::size_t found = 0;
    for (const SharedCap* cap : pool.caps()) {
      if (cap == nullptr || !cap->full()) continue;
      Pool* victim = oldest_idle(*cap, pool);
      if (victim == nullptr) return false;
      if (frees_all(*victim, pool)) {
        plan.victims = {victim, nullptr};
        return true;
      }
      plan.victims[found++] = victim;
    }
    return true;
  }

  static bool under(const Pool& pool, const SharedCap* cap) {
    return pool.database() == cap || pool.user() == cap;
  }
  static bool frees_all(const Pool& victim, const Pool& pool) {
    for (const SharedCap* cap : pool.caps()) {
      if (cap != nullptr && cap->full() && !under(victim, cap)) return false;
    }
    return true;
  }

  // The pool with the longest idle connection under `cap`; one that frees all of `pool`'s full caps
  // goes before one that frees only this.
  static Pool* oldest_idle(const SharedCap& cap, const Pool& pool) {
    if (cap.idle == 0) return nullptr;
    Pool* best = nullptr;
    bool best_frees = false;
    for (Pool* other : cap.pools) {
      if (other->idle() == 0) continue;
      const bool frees = frees_all(*other, pool);
      const bool older =
          best == nullptr || other->idle_list()[0].since < best->idle_list()[0].since;
      if (best != nullptr && (best_frees > frees || (best_frees == frees && !older))) continue;
      best = other;
      best_frees = frees;
    }
    return best;
  }

  Grant carry_out(Pool& pool, const Plan& plan, Moves& moves) {
    if (plan.kind == GrantKind::kUse) return {GrantKind::kUse, pool.take_idle(plan.use)};
    for (Pool* victim : plan.victims) {
      if (victim == nullptr) continue;
      close(*victim, victim->take_idle(0).connection, CloseReason::kEvicted, moves);
      touched_.push_back(victim);  // may have freed room under its other cap as well
    }
    if (plan.own) close(pool, pool.take_idle(0).connection, CloseReason::kEvicted, moves);
    pool.add_slot();
    pool.begin_opening();
    return {GrantKind::kOpen, {}};
  }

  void close(Pool& pool, Connection connection, CloseReason reason, Moves& moves) {
    pool.drop_slot();
    moves.closing.push_back({&pool, std::move(connection), reason});
  }

  static bool fails_at_once(const Pool& pool) {
    return pool.failure.standing() && pool.alive() == 0 && !pool.paused;
  }

  static bool waiters_near(const Pool& pool) {
    if (pool.waiting() > 0) return true;
    for (const SharedCap* cap : pool.caps()) {
      if (cap != nullptr && !cap->queue.empty()) return true;
    }
    return false;
  }

  struct Choice {
    std::uint64_t number;
    Pool* pool;
    Plan plan;
  };

  bool serve_one(Pool& pool, SteadyTime now, Moves& moves) {
    std::optional<Choice> best = choose_in(pool, now);
    for (const SharedCap* cap : pool.caps()) {
      if (cap == nullptr || cap->limit == 0) continue;
      for (const auto& [number, candidate] : cap->queue) {
        if (best && best->number <= number) break;
        const auto& waiter = candidate->waiters().begin()->second;
        const auto plan = plan_for(*candidate, waiter.identity, waiter.since, now);
        if (plan) best = Choice{number, candidate, *plan};
      }
    }
    if (!best) return fail_waiters(pool, moves);
    best->pool->drop_waiter(best->number);
    moves.handoffs.push_back({best->number, best->pool, carry_out(*best->pool, best->plan, moves)});
    return true;
  }

  // The longest waiter, but for one case: while nothing may be opened, who fits an idle connection
  // goes before who does not.
  std::optional<Choice> choose_in(Pool& pool, SteadyTime now) const {
    for (const auto& [number, waiter] : pool.waiters()) {
      const auto plan = plan_for(pool, waiter.identity, waiter.since, now);
      if (plan) return Choice{number, &pool, *plan};
      if (pool.idle() == 0) break;
    }
    return std::nullopt;
  }

  bool fail_waiters(Pool& pool, Moves& moves) {
    if (!fails_at_once(pool)) return false;
    while (pool.waiting() > 0) {
      const std::uint64_t number = pool.waiters().begin()->first;
      pool.drop_waiter(number);
      moves.handoffs.push_back({number, &pool, {GrantKind::kFail, {}}});
    }
    return false;
  }

  void close_old(Pool& pool, SteadyTime now, Moves& moves) {
    for (std::size_t i = 0; i < pool.idle(); ++i) {
      if (!pool.claim_expiry(pool.idle_list()[i].tenure, now)) continue;
      close(pool, pool.take_idle(i).connection, CloseReason::kExpired, moves);
      return;
    }
  }

  void close_unused(Pool& pool, SteadyTime oldest, Moves& moves) {
    while (pool.idle() > 0 && pool.total() > pool.settings.min_pool_size &&
           pool.idle_list()[0].since < oldest) {
      close(pool, pool.take_idle(0).connection, CloseReason::kExpired, moves);
    }
  }

  std::vector<Pool*> touched_;  ///< pools in which something became free; empty between calls
};

}  // namespace postern::proxy
