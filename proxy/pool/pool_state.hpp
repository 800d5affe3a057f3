// One pool by itself, free of sockets, clocks and threads: its idle connections, its waiters and
// its counts. The rules that span pools stand in pool_set.hpp; Broker drives both under a lock,
// tests drive them with integers instead of connections.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "proxy/pool/failure.hpp"
#include "proxy/pool/pool_settings.hpp"

namespace postern::proxy {

/// When a connection's time is up, fixed when it was opened.
struct Tenure {
  SteadyTime expires = SteadyTime::max();
  std::uint64_t generation = 0;  ///< of its pool when it was opened: older ones are not kept
};

/// Who holds a slot, as discard() needs to know it.
enum class Stage : std::uint8_t {
  kOpening,  ///< granted by kOpen, no connection yet
  kOpen,     ///< a connection stands behind it
};

template <typename Connection, typename Identity>
class PoolState;

/// Which of several idle connections costs a taker less; overloaded where that makes a difference.
template <typename Connection, typename Identity>
bool is_near(const Connection&, const Identity&) {
  return true;
}

/// A limit that several pools share. Pools join it once and stay.
template <typename Pool>
struct Cap {
  std::size_t limit = 0;  ///< 0 = none
  std::size_t used = 0;   ///< connections of its pools, idle, in use and being opened
  std::size_t idle = 0;
  std::vector<Pool*> pools;
  std::set<std::pair<std::uint64_t, Pool*>> queue;  ///< longest waiter of each pool that has one

  [[nodiscard]] bool full() const { return limit != 0 && used >= limit; }
};

/// `Identity` is compared by ==: connections of different identity (tenant and startup settings)
/// share a pool's size but are never given to a taker of another identity.
template <typename Connection, typename Identity>
class PoolState {
 public:
  using SharedCap = Cap<PoolState>;
  struct Idle {
    Connection connection;
    Identity identity;
    Tenure tenure;
    SteadyTime since;
  };
  struct Waiter {
    Identity identity;
    SteadyTime since;
  };

  /// Caps may be null; they outlive the pool.
  PoolState(const PoolSettings& initial, SharedCap* database, SharedCap* user)
      : settings(initial), database_(database), user_(user) {
    for (SharedCap* cap : caps()) {
      if (cap != nullptr) cap->pools.push_back(this);
    }
  }
  PoolState(const PoolState&) = delete;
  PoolState& operator=(const PoolState&) = delete;

  // ---- counts

  [[nodiscard]] std::size_t total() const { return total_; }
  [[nodiscard]] std::size_t idle() const { return idle_.size(); }
  [[nodiscard]] std::size_t opening() const { return opening_; }
  [[nodiscard]] std::size_t in_use() const { return total_ - opening_ - idle_.size(); }
  /// Connections that stand, idle or in use.
  [[nodiscard]] std::size_t alive() const { return total_ - opening_; }
  [[nodiscard]] std::size_t waiting() const { return waiters_.size(); }
  [[nodiscard]] const std::vector<Idle>& idle_list() const { return idle_; }
  [[nodiscard]] std::array<SharedCap*, 2> caps() const { return {database_, user_}; }
  [[nodiscard]] SharedCap* database() const { return database_; }
  [[nodiscard]] SharedCap* user() const { return user_; }

  // ---- idle connections, oldest first

  /// The one used last, of those near the taker if there are any.
  [[nodiscard]] std::optional<std::size_t> find_idle(const Identity& identity) const {
    std::optional<std::size_t> found;
    for (std::size_t i = idle_.size(); i-- > 0;) {
      if (!(idle_[i].identity == identity)) continue;
      if (is_near(idle_[i].connection, identity)) return i;
      if (!found) found = i;
    }
    return found;
  }
  void push_idle(Idle entry) {
    idle_.push_back(std::move(entry));
    for (SharedCap* cap : caps()) {
      if (cap != nullptr) ++cap->idle;
    }
  }
  /// The connection stays counted in total().
  Idle take_idle(std::size_t index) {
    Idle entry = std::move(idle_[index]);
    idle_.erase(idle_.begin() + static_cast<std::ptrdiff_t>(index));
    for (SharedCap* cap : caps()) {
      if (cap != nullptr) --cap->idle;
    }
    return entry;
  }

  // ---- slots

  void add_slot() {
    ++total_;
    for (SharedCap* cap : caps()) {
      if (cap != nullptr) ++cap->used;
    }
  }
  void drop_slot() {
    --total_;
    for (SharedCap* cap : caps()) {
      if (cap != nullptr) --cap->used;
    }
  }
  void begin_opening() {
    ++opening_;
    failure.begin_probe();
  }
  void end_opening() { --opening_; }

  /// The pool's own size leaves room for a taker who has waited since `since`.
  [[nodiscard]] bool has_room(SteadyTime since, SteadyTime now) const {
    if (total_ < settings.pool_size) return true;
    return total_ < settings.pool_size + settings.reserve_pool_size &&
           now - since >= settings.reserve_timeout;
  }

  /// More connections than wanted where nobody is in need: the reserve, or a size made smaller.
  [[nodiscard]] bool beyond_size() const {
    if (total_ > settings.pool_size + settings.reserve_pool_size) return true;
    return total_ > settings.pool_size && waiters_.empty();
  }

  // ---- waiters, by ever growing numbers: the smallest has waited longest

  [[nodiscard]] const std::map<std::uint64_t, Waiter>& waiters() const { return waiters_; }
  void push_waiter(std::uint64_t number, Waiter waiter) {
    leave_queues();
    waiters_.emplace(number, std::move(waiter));
    enter_queues();
  }
  bool drop_waiter(std::uint64_t number) {
    const auto it = waiters_.find(number);
    if (it == waiters_.end()) return false;
    leave_queues();
    waiters_.erase(it);
    enter_queues();
    return true;
  }

  // ---- age

  /// A connection of this tenure may not be given out or kept any more. One per lifetime_gap()
  /// falls for its age, so that a pool opened at once does not close at once.
  [[nodiscard]] bool outdated(const Tenure& tenure) const { return tenure.generation < generation; }
  bool claim_expiry(const Tenure& tenure, SteadyTime now) {
    if (tenure.expires > now || now < next_expiry_) return false;
    next_expiry_ = now + lifetime_gap();
    return true;
  }
  /// All of a full pool are replaced within a fifth of their lifetime.
  [[nodiscard]] std::chrono::steady_clock::duration lifetime_gap() const {
    constexpr std::size_t kParts = 5;
    const std::size_t size = std::max<std::size_t>(settings.pool_size, 1);
    return std::chrono::steady_clock::duration(settings.server_lifetime) / (kParts * size);
  }

  PoolSettings settings;
  Failure failure;
  bool paused = false;           ///< nothing is given out, nothing is kept
  std::uint64_t generation = 0;  ///< connections of earlier ones are closed when given back

 private:
  void leave_queues() {
    if (waiters_.empty()) return;
    for (SharedCap* cap : caps()) {
      if (cap != nullptr) cap->queue.erase({waiters_.begin()->first, this});
    }
  }
  void enter_queues() {
    if (waiters_.empty()) return;
    for (SharedCap* cap : caps()) {
      if (cap != nullptr) cap->queue.insert({waiters_.begin()->first, this});
    }
  }

  SharedCap* database_;
  SharedCap* user_;
  std::size_t total_ = 0;    ///< idle, in use and being opened
  std::size_t opening_ = 0;  ///< of these: no connection yet
  std::vector<Idle> idle_;
  std::map<std::uint64_t, Waiter> waiters_;
  SteadyTime next_expiry_{};
};

}  // namespace postern::proxy
