// Whether this instance may use the shared cache, and until when others rely on it being alive.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>

#include "proxy/net/asio.hpp"

namespace postern::proxy {

/// An instance registers in Redis with a lease. Others serve hits only while all registrations are
/// live. One that could not tell of a write stops serving hits at once (suspend), lets its
/// registration expire before the write is acknowledged, and comes back only by a join that raises
/// the shared epoch. Thread-safe; no clock: time comes in as a value.
class Membership {
 public:
  using Time = SteadyClock::time_point;

  /// A join under way. `force`: older entries have to be made unusable.
  struct Join {
    bool force = false;
    std::uint64_t trouble = 0;
  };

  /// Hits and fills are possible here.
  [[nodiscard]] bool serving() const {
    const std::lock_guard lock(mutex_);
    return state_ == State::kServing;
  }

  /// Would begin_join begin one?
  [[nodiscard]] bool may_join(Time now) const {
    const std::lock_guard lock(mutex_);
    return joinable(now);
  }
  /// Begins a join with a lease until `until`, unless there is no need, a write waits for the
  /// lease to end, or writes of unknown outcome have to settle first. Every Join
  /// given out goes to end_join.
  std::optional<Join> begin_join(Time now, Time until) {
    const std::lock_guard lock(mutex_);
    if (!joinable(now)) return std::nullopt;
    extend(until);
    return Join{trouble_ > 0, trouble_};
  }
  /// A success counts only if nothing went wrong since the join began. After a failure, which may
  /// have left a lease behind, there is no other attempt before `pause_until`, so that writes do
  /// not wait for the leases of one failed attempt after the other.
  void end_join(const Join& join, bool joined, Time pause_until) {
    const std::lock_guard lock(mutex_);
    if (!joined) hold_until_ = std::max(hold_until_, pause_until);
    if (joined && join.trouble == trouble_ && state_ == State::kOutside) state_ = State::kServing;
  }

  /// May the lease be prolonged until `until`? Noted before it is sent, since it may arrive.
  bool begin_renewal(Time until) {
    const std::lock_guard lock(mutex_);
    if (state_ != State::kServing) return false;
    extend(until);
    return true;
  }

  /// No hits here until a join has made older entries unusable, and no join before `hold_until`.
  void suspend(Time hold_until) {
    const std::lock_guard lock(mutex_);
    ++trouble_;
    hold_until_ = std::max(hold_until_, hold_until);
    if (state_ == State::kServing) state_ = State::kOutside;
  }
  /// For good.
  void leave() {
    const std::lock_guard lock(mutex_);
    state_ = State::kLeft;
  }

  /// A write begins or ends waiting for the end of the lease.
  void wait_begins() {
    const std::lock_guard lock(mutex_);
    ++waiting_;
  }
  void wait_ends() {
    const std::lock_guard lock(mutex_);
    --waiting_;
  }

  /// When no lease ever sent can be live any more.
  [[nodiscard]] Time lease_end() const {
    const std::lock_guard lock(mutex_);
    return lease_end_;
  }

 private:
  enum class State : std::uint8_t { kOutside, kServing, kLeft };
  [[nodiscard]] bool joinable(Time now) const {
    return state_ == State::kOutside && waiting_ == 0 && now >= hold_until_;
  }
  void extend(Time until) { lease_end_ = std::max(lease_end_, until); }

  mutable std::mutex mutex_;
  State state_ = State::kOutside;
  unsigned waiting_ = 0;
  std::uint64_t trouble_ = 0;
  Time hold_until_{};
  Time lease_end_{};
};

}  // namespace postern::proxy
