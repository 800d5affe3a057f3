// The numbers of the whole process: counting is a relaxed atomic add on the hot path, naming and
// formatting happen when /metrics is read (exposition.hpp).
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace postern::proxy {

/// Monotonic count; thread-safe.
class Counter {
 public:
  void add(std::uint64_t n = 1) noexcept { value_.fetch_add(n, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t value() const noexcept {
    return value_.load(std::memory_order_relaxed);
  }

 private:
  std::atomic<std::uint64_t> value_{0};
};

/// A level that rises and falls; thread-safe.
class Gauge {
 public:
  void add(std::int64_t n) noexcept { value_.fetch_add(n, std::memory_order_relaxed); }
  void set(std::int64_t n) noexcept { value_.store(n, std::memory_order_relaxed); }
  [[nodiscard]] std::int64_t value() const noexcept {
    return value_.load(std::memory_order_relaxed);
  }

 private:
  std::atomic<std::int64_t> value_{0};
};

/// Upper bucket edges in microseconds; 100,000 is criterion 6.1's edge at exactly 0.1 s.
inline constexpr std::array<std::uint64_t, 12> kLatencyEdges = {
    250, 500, 1'000, 2'500, 5'000, 10'000, 25'000, 50'000, 100'000, 250'000, 1'000'000, 10'000'000};

class Histogram {
 public:
  void observe(std::uint64_t micros) noexcept;
  [[nodiscard]] std::uint64_t bucket(std::size_t i) const noexcept { return buckets_[i].value(); }
  [[nodiscard]] std::uint64_t count() const noexcept { return count_.value(); }
  [[nodiscard]] std::uint64_t sum_micros() const noexcept { return sum_.value(); }

 private:
  std::array<Counter, kLatencyEdges.size() + 1> buckets_;  ///< not cumulative; last = +Inf
  Counter count_;
  Counter sum_;
};

/// Counts per error code; codes appear when first counted. Thread-safe.
class CodeCounter {
 public:
  void add(Pst code);
  [[nodiscard]] std::map<Pst, std::uint64_t> snapshot() const;

 private:
  mutable std::mutex mutex_;
  std::map<Pst, std::uint64_t> counts_;
};

/// Counts per SQLSTATE class, the first two characters; what is none counts as "??". Thread-safe.
class ClassCounter {
 public:
  /// Classes are few; a server that invents more of them finds them under "??".
  static constexpr std::size_t kMaxClasses = 100;
  void add(std::string_view sqlstate);
  [[nodiscard]] std::map<std::string, std::uint64_t> snapshot() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::uint64_t> counts_;
};

/// What may keep a server connection with its session (session/pins.hpp).
inline constexpr std::size_t kPinReasons = 7;

struct Metrics {
  ClassCounter server_errors;
  Gauge clients;  ///< connected clients, logged in or not
  Counter logins_ok;
  Counter logins_failed;
  Counter statements;         ///< statements a client had executed, however answered
  Counter statements_failed;  ///< answered with an error by the server
  CodeCounter refusals;       ///< statements and sessions refused by Postern, per code
  CodeCounter observed;       ///< what would have been refused in observe mode, per code
  Counter routed_primary;
  Counter routed_replica;
  Counter replica_fallbacks;  ///< eligible reads that went to the primary for lag or failure
  Counter cache_hits;
  Counter cache_misses;
  Counter cache_fills;
  Counter cache_invalidations;
  Counter cache_errors;  ///< Redis unreachable, slow or answering nonsense
  Counter values_encrypted;
  Counter values_decrypted;
  Counter decrypt_failures;
  Counter audit_records;
  Counter audit_failures;
  Counter servers_opened;
  Counter servers_closed;
  std::array<Gauge, kPinReasons> pinned;  ///< server connections kept, each by all its reasons
  Counter cancels;
  Counter peer_cancels;  ///< one for each instance asked
  Counter analysis_hits;
  Counter analysis_shapes;
  Counter analysis_misses;
  Histogram latency;  ///< first byte of a request to its last reply byte
  Histogram pool_wait;
};

}  // namespace postern::proxy
