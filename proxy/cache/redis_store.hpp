// The cache shared by several instances through one Redis.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "proxy/cache/log_limit.hpp"
#include "proxy/cache/membership.hpp"
#include "proxy/cache/redis_link.hpp"
#include "proxy/cache/setup.hpp"
#include "proxy/cache/snapshot.hpp"

namespace postern::proxy {

/// Thread-safe; every worker has its own connection. A lookup is one round trip, likewise a store,
/// a mark and a bump. Keys: `postern:writers`, `postern:{scope}:v:<oid>` (version and marks) and
/// `postern:{scope}:e:<name>`, where scope and name are keyed hashes.
class RedisStore {
 public:
  /// What a lease is believed to live longer than computed, for clocks that differ in rate.
  static constexpr std::chrono::milliseconds kLeaseMargin{250};
  /// Distance of attempts at a bump while a write waits.
  static constexpr std::chrono::milliseconds kRetryStep{50};

  /// `setup` outlives the store.
  explicit RedisStore(const CacheSetup* setup);

  Task<CacheSnapshot> look(Worker* worker, CachePlace place);
  Task<bool> put(Worker* worker, CachePlace place, Bytes tokens, SealedValue value);
  /// The moment until which the store surely holds the mark, if it confirmed it.
  Task<std::optional<SteadyClock::time_point>> mark(Worker* worker, CachePlace place,
                                                    std::string id);
  /// Returns when no instance can serve what the write made old (ResultCache::end_write).
  Task<void> bump(Worker* worker, CachePlace place, WriteEnd end);
  Task<void> leave(Worker* worker);
  /// A write of unknown outcome; `marked`: its mark stands in Redis and looks after it.
  void abandon(bool marked);

 private:
  Task<Result<RedisReply>> call(Worker* worker, RedisCall call, std::chrono::milliseconds deadline);
  Task<void> join(Worker* worker);
  Task<bool> try_join(Worker* worker, Membership::Join join, SteadyClock::time_point until);
  Task<bool> ask_clock(Worker* worker);
  void start_joining(Worker* worker);
  Task<bool> bump_patiently(Worker* worker, const CachePlace* place, const WriteEnd* end);
  Task<void> wait_for_lease(Worker* worker, const CachePlace* place, const WriteEnd* end);
  Task<bool> try_bump(Worker* worker, const CachePlace* place, const WriteEnd* end);
  Task<void> keep(Worker* worker);
  Task<void> renew(Worker* worker);
  CacheSnapshot read_snapshot(RedisReply reply, std::vector<Oid> tables);
  void start_keeping(Worker* worker);
  void note_registered(const RedisReply& reply);
  void note_clock(std::int64_t redis_now);
  [[nodiscard]] std::string redis_moment(SteadyClock::time_point moment) const;
  RedisLink& link(Worker* worker);

  const CacheSetup* setup_;
  const std::string me_;
  RedisAccess access_;
  Membership membership_;
  std::atomic<std::int64_t> clock_offset_{0};  ///< Redis' milliseconds minus ours
  LogLimit writer_gone_{std::chrono::minutes(1)};
  std::atomic<bool> keeping_{false};
  std::atomic<bool> joining_{false};
  std::mutex links_mutex_;
  std::map<Worker*, std::unique_ptr<RedisLink>> links_;
};

}  // namespace postern::proxy
