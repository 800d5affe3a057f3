// The rules of one pool, free of sockets, clocks and threads: who gets a server connection, who
// waits, which idle connection is given up. Broker drives it under a lock; tests drive it with
// integers instead of connections.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace postern::proxy {

using SteadyTime = std::chrono::steady_clock::time_point;

/// What a pool tells a taker to do.
enum class GrantKind : std::uint8_t {
  kUse,   ///< take `connection`
  kOpen,  ///< a slot is reserved: open a connection, later release() or discard() it
  kWait,  ///< queued; a later Handoff names this waiter
};

template <typename Connection>
struct Grant {
  GrantKind kind = GrantKind::kWait;
  std::optional<Connection> connection;  ///< kUse
  std::optional<Connection> evicted;     ///< to be closed by the caller: it made room for kOpen
};

/// A freed connection or slot that goes to the longest waiter.
template <typename Connection>
struct Handoff {
  std::optional<std::uint64_t> waiter;  ///< none: nobody waits
  Grant<Connection> grant;              ///< never kWait where `waiter` is set
};

/// One pool: at most `size` connections, idle ones last-in first-out, waiters first-in first-out.
///
/// Connections of different identity (tenant and startup settings) share the cap but are never
/// given to a taker of another identity. Invariant: nobody waits while an idle connection exists.
template <typename Connection>
class PoolState {
 public:
  explicit PoolState(std::size_t size) : size_(size) {}

  Grant<Connection> acquire(const std::string& identity, std::uint64_t waiter) {
    if (auto index = find_idle(identity)) return {GrantKind::kUse, take_idle(*index), {}};
    if (total_ < size_) {
      ++total_;
      return {GrantKind::kOpen, {}, {}};
    }
    if (!idle_.empty()) return {GrantKind::kOpen, {}, take_idle(0)};
    waiters_.push_back({waiter, identity});
    return {};
  }

  /// A connection in use becomes free. It is handed to the longest waiter where the identity fits;
  /// otherwise it is evicted and the waiter opens one of its own in the same slot.
  Handoff<Connection> release(Connection connection, std::string identity, SteadyTime now) {
    if (waiters_.empty()) {
      idle_.push_back({std::move(connection), std::move(identity), now});
      return {};
    }
    Waiter first = std::move(waiters_.front());
    waiters_.pop_front();
    if (first.identity == identity) {
      return {first.id, {GrantKind::kUse, std::move(connection), {}}};
    }
    return {first.id, {GrantKind::kOpen, {}, std::move(connection)}};
  }

  /// A connection in use, or a slot granted by kOpen, is gone.
  Handoff<Connection> discard() {
    if (waiters_.empty()) {
      --total_;
      return {};
    }
    Waiter first = std::move(waiters_.front());
    waiters_.pop_front();
    return {first.id, {GrantKind::kOpen, {}, {}}};
  }

  /// The waiter gives up (timeout, client gone). False: it was already served, and what it was
  /// granted is its own to give back.
  bool cancel(std::uint64_t waiter) {
    for (auto it = waiters_.begin(); it != waiters_.end(); ++it) {
      if (it->id == waiter) {
        waiters_.erase(it);
        return true;
      }
    }
    return false;
  }

  /// Removes the connections idle since before `oldest`.
  std::vector<Connection> expire(SteadyTime oldest) {
    std::vector<Connection> expired;
    for (std::size_t i = idle_.size(); i-- > 0;) {
      if (idle_[i].since >= oldest) continue;
      expired.push_back(take_idle(i));
      --total_;
    }
    return expired;
  }

  /// Removes every idle connection (reload, failover, shutdown).
  std::vector<Connection> drain() { return expire(SteadyTime::max()); }

  /// Another cap from now on. Connections beyond it go when they are given back.
  void resize(std::size_t size) { size_ = size; }
  [[nodiscard]] bool is_over() const { return total_ > size_; }

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t total() const { return total_; }
  [[nodiscard]] std::size_t idle() const { return idle_.size(); }
  [[nodiscard]] std::size_t waiting() const { return waiters_.size(); }

 private:
  struct Idle {
    Connection connection;
    std::string identity;
    SteadyTime since;
  };
  struct Waiter {
    std::uint64_t id;
    std::string identity;
  };

  std::optional<std::size_t> find_idle(const std::string& identity) const {
    for (std::size_t i = idle_.size(); i-- > 0;) {
      if (idle_[i].identity == identity) return i;
    }
    return std::nullopt;
  }

  Connection take_idle(std::size_t index) {
    Connection connection = std::move(idle_[index].connection);
    idle_.erase(idle_.begin() + static_cast<std::ptrdiff_t>(index));
    return connection;
  }

  std::size_t size_;
  std::size_t total_ = 0;   ///< idle, in use and being opened
  std::vector<Idle> idle_;  ///< oldest first
  std::deque<Waiter> waiters_;
};

}  // namespace postern::proxy
