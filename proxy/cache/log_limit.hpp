// Keeps a repeated event from filling the log.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "proxy/net/asio.hpp"

namespace postern::proxy {

/// Thread-safe.
class LogLimit {
 public:
  explicit LogLimit(std::chrono::milliseconds distance) : distance_(distance) {}

  /// May the event be logged now? At most once in the distance.
  bool allow(SteadyClock::time_point now) {
    const std::int64_t at = now.time_since_epoch() / std::chrono::milliseconds(1);
    std::int64_t next = next_.load(std::memory_order_relaxed);
    return at >= next && next_.compare_exchange_strong(next, at + distance_.count());
  }

 private:
  std::chrono::milliseconds distance_;
  std::atomic<std::int64_t> next_{0};
};

}  // namespace postern::proxy
