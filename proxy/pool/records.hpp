// What the pools tell about themselves: SHOW POOLS, SHOW SERVERS, /metrics.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <tuple>
#include <utility>

#include "proxy/pool/pool_settings.hpp"

namespace postern::proxy {

class Worker;

/// One pool: connections of one upstream login to one database on one node.
struct PoolKey {
  std::string node;      ///< endpoint text
  std::string database;  ///< as clients name it
  std::string user;      ///< on the server
  friend auto operator<=>(const PoolKey&, const PoolKey&) = default;
};

/// Who takes connections: made once per session, shared with what it took. Immutable.
struct Taker {
  std::string identity;     ///< tenant and startup settings: never shared with another identity
  std::string application;  ///< for people to read
  std::uint64_t session = 0;
  const Worker* worker = nullptr;  ///< where it takes them
};

/// Takers of equal identity may share connections.
class TakerRef {
 public:
  TakerRef() = default;
  explicit TakerRef(std::shared_ptr<const Taker> taker) : taker_(std::move(taker)) {}
  [[nodiscard]] const std::shared_ptr<const Taker>& get() const { return taker_; }
  friend bool operator==(const TakerRef& a, const TakerRef& b) {
    return a.taker_ == b.taker_ ||
           (a.taker_ != nullptr && b.taker_ != nullptr && a.taker_->identity == b.taker_->identity);
  }

 private:
  std::shared_ptr<const Taker> taker_;
};

/// PgBouncer's names. Durations in microseconds; counters since the start.
struct PoolStats {
  PoolKey key;
  std::size_t size = 0;
  std::size_t total = 0;      ///< server connections, also those being opened
  std::size_t idle = 0;       ///< sv_idle + sv_used
  std::size_t waiting = 0;    ///< cl_waiting
  std::size_t cl_active = 0;  ///< sessions bound to the pool that do not wait
  std::size_t sv_active = 0;
  std::size_t sv_idle = 0;
  std::size_t sv_used = 0;  ///< idle for more than kUsedAfter
  std::size_t sv_login = 0;
  std::uint64_t maxwait_us = 0;  ///< of the longest waiter
  bool paused = false;
  std::string failing;  ///< reason while the server cannot be logged in to
  std::uint64_t opened = 0;
  std::uint64_t closed = 0;  ///< all causes
  std::uint64_t evicted = 0;
  std::uint64_t expired = 0;
  std::uint64_t failures = 0;

  static constexpr std::chrono::seconds kUsedAfter{30};
};

/// Server connections against the caps across pools.
struct CapStats {
  std::string name;
  std::size_t limit = 0;  ///< 0 = none
  std::size_t used = 0;
};

enum class ServerState : std::uint8_t { kActive, kIdle };

/// One server connection.
struct ServerInfo {
  std::uint64_t id = 0;  ///< ever growing within the process
  PoolKey key;
  ServerState state = ServerState::kIdle;
  SteadyTime connected;
  SteadyTime requested;  ///< last taken
  std::uint32_t backend_pid = 0;
  bool close_needed = false;  ///< will be closed when given back
  bool tls = false;
  std::string application;    ///< of the present or the last holder
  std::uint64_t session = 0;  ///< of the present holder; 0 while idle
};

}  // namespace postern::proxy
