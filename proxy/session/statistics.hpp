// What the console and /metrics tell about traffic: counted where it happens by the one worker that
// owns the counter, summed when somebody asks.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.hpp"
#include "protocol/wire.hpp"
#include "proxy/sinks/metrics.hpp"

namespace postern::proxy {

/// A count with one writing thread and any number of readers: a plain load, add and store.
class OwnCount {
 public:
  void add(std::uint64_t n = 1) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t value() const noexcept {
    return value_.load(std::memory_order_relaxed);
  }

 private:
  std::atomic<std::uint64_t> value_{0};
};

/// What is counted per database and login. The first eleven stand in the order of PgBouncer's
/// SHOW STATS; times are microseconds, volumes bytes.
enum class Stat : std::uint8_t {
  kAssignments,     ///< a server connection was given to a client
  kXacts,           ///< transactions that ended
  kQueries,         ///< statements answered
  kReceived,        ///< from clients
  kSent,            ///< to clients
  kXactTime,        ///< from the first statement to the end of the transaction
  kQueryTime,       ///< from request to ReadyForQuery
  kWaitTime,        ///< waiting for a server connection
  kClientParses,    ///< Parse messages of clients
  kServerParses,    ///< Parse messages that servers took
  kBinds,           ///< Bind messages of clients
  kServerReceived,  ///< from servers
  kServerSent,      ///< to servers
  kErrors,          ///< ErrorResponse messages of servers
};
inline constexpr std::size_t kStats = 14;
using StatValues = std::array<std::uint64_t, kStats>;

inline std::uint64_t of(const StatValues& values, Stat stat) {
  return values[static_cast<std::size_t>(stat)];
}

/// The counters of one database and login on one worker.
class Traffic {
 public:
  void add(Stat stat, std::uint64_t n = 1) noexcept {
    counts_[static_cast<std::size_t>(stat)].add(n);
  }
  void add_to(StatValues& values) const;

 private:
  std::array<OwnCount, kStats> counts_;
};

/// Where the time of a request went.
enum class Span : std::uint8_t { kProxy, kQueue, kServer };
inline constexpr std::size_t kSpans = 3;

/// Microseconds in the buckets of kLatencyEdges, not cumulative; the last bucket is +Inf.
struct TimeValues {
  std::array<std::uint64_t, kLatencyEdges.size() + 1> buckets{};
  std::uint64_t count = 0;
  std::uint64_t sum = 0;
};

/// Histograms of one [database.NAME] on one worker.
class Times {
 public:
  void observe(Span span, std::uint64_t micros) noexcept;
  void add_to(std::array<TimeValues, kSpans>& values) const;

 private:
  struct Buckets {
    std::array<OwnCount, kLatencyEdges.size() + 1> buckets;
    OwnCount count;
    OwnCount sum;
  };
  std::array<Buckets, kSpans> spans_;
};

using TrafficKey = std::pair<std::string, std::string>;  ///< database as asked for, login
using TrafficTotals = std::map<TrafficKey, StatValues>;
using TimeTotals = std::map<std::string, std::array<TimeValues, kSpans>>;

/// One worker's counters. Counters live as long as the book; they never go away, so sums only grow.
class StatisticsBook {
 public:
  /// Invented names under "*" must not cost memory without end: further ones share one counter.
  static constexpr std::size_t kMaxEntries = 10'000;
  static constexpr const char* kOthers = "(others)";

  /// The worker's thread.
  Traffic* traffic(const std::string& database, const std::string& login);
  /// `section` is a name of the configuration, "*" included: their number is bounded.
  Times* times(const std::string& section);

  /// Any thread.
  void add_to(TrafficTotals& totals) const;
  void add_to(TimeTotals& totals) const;

 private:
  mutable std::mutex mutex_;  ///< of the maps, not of the counters
  std::map<TrafficKey, std::unique_ptr<Traffic>> traffic_;
  std::map<std::string, std::unique_ptr<Times>> times_;
};

/// Totals and averages of one database.
struct DatabaseStats {
  std::string database;
  StatValues totals{};
  StatValues
      averages{};  ///< counts, volumes and wait per second; times per transaction or statement
};

/// Growth over `micros` as SHOW STATS words it; all 0 where no time passed.
StatValues average(const StatValues& then, const StatValues& now, std::uint64_t micros);

/// The process's statistics. Thread-safe.
class Statistics {
 public:
  using Time = std::chrono::steady_clock::time_point;

  Statistics() : older_time_(std::chrono::steady_clock::now()), newer_time_(older_time_) {}

  /// The book of a worker, before any session runs; lives as long as this object.
  StatisticsBook* add_book();

  /// Ends a period: averages are those since the beginning of the period before.
  void turn(Time now);

  [[nodiscard]] TrafficTotals traffic() const;
  [[nodiscard]] TimeTotals times() const;
  /// One row a database, ascending by name.
  [[nodiscard]] std::vector<DatabaseStats> by_database(Time now) const;

 private:
  using ByDatabase = std::map<std::string, StatValues>;
  [[nodiscard]] ByDatabase sums() const;

  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<StatisticsBook>> books_;
  ByDatabase older_;
  ByDatabase newer_;
  Time older_time_;
  Time newer_time_;
};

/// One session's part: turns what happens to it into counts and times. Its worker's thread. Before
/// open() nothing is counted.
///
/// A round is the time from the first byte of a request to the ReadyForQuery that answers it.
class SessionStatistics {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// After login. `times` may be null (the console).
  void open(Traffic* traffic, Times* times, Metrics* metrics);

  void client_read(std::size_t bytes) {
    if (traffic_ == nullptr || bytes == 0) return;
    traffic_->add(Stat::kReceived, bytes);
    if (!busy_) begin();
  }
  /// `total` is what was written to the client in all.
  void client_written(std::uint64_t total);
  void server_read(std::size_t bytes) {
    if (traffic_ != nullptr) traffic_->add(Stat::kServerReceived, bytes);
  }
  void server_written(std::size_t bytes) {
    if (traffic_ == nullptr) return;
    traffic_->add(Stat::kServerSent, bytes);
    if (busy_ && sent_at_ == Time()) sent_at_ = std::chrono::steady_clock::now();
  }
  /// A server connection is asked for, and was given or not.
  void wait_begun();
  void wait_ended(bool served);
  /// It was at hand.
  void served_at_once() {
    if (traffic_ != nullptr) traffic_->add(Stat::kAssignments);
  }

  /// A message of the client.
  void message(protocol::FrontendType type);
  /// A server took a Parse.
  void server_parsed() {
    if (traffic_ != nullptr) traffic_->add(Stat::kServerParses);
  }
  /// A statement has its outcome, good or bad.
  void statement_answered() {
    if (traffic_ != nullptr) traffic_->add(Stat::kQueries);
  }
  /// An ErrorResponse of a server; `body` is the message's.
  void server_error(ByteView body);
  /// ReadyForQuery with its status byte.
  void ready(char status);
  /// Nothing is owed to the client, which is about to be waited for: a round answered without a
  /// server ends.
  void quiet() {
    if (busy_) end_quietly();
  }

  [[nodiscard]] bool busy() const { return busy_; }
  [[nodiscard]] bool waiting() const { return waiting_since_ != Time(); }
  [[nodiscard]] Time waiting_since() const { return waiting_since_; }
  [[nodiscard]] Time connected_at() const { return connected_at_; }
  /// Beginning of the present or last round; the epoch: there was none.
  [[nodiscard]] Time request_at() const { return request_at_; }

 private:
  void begin();
  void end_round(Time now);
  void end_xact(Time now);
  void end_quietly();

  Traffic* traffic_ = nullptr;
  Times* times_ = nullptr;
  Metrics* metrics_ = nullptr;
  std::uint64_t written_ = 0;
  Time connected_at_ = std::chrono::steady_clock::now();
  Time request_at_;
  Time sent_at_;
  Time xact_at_;
  Time waiting_since_;
  std::uint64_t queued_ = 0;  ///< microseconds of this round spent waiting for a server
  std::uint64_t owed_ = 0;    ///< ReadyForQuery messages the client awaits
  bool busy_ = false;
  bool in_xact_ = false;  ///< as the server said last
};

}  // namespace postern::proxy
