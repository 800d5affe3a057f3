// The result cache: answers of reads, kept until a table they depend on is written.
//
// A session uses it in two places. Around a cacheable read, before routing:
//     CacheLookup found = co_await cache->lookup(worker, std::move(query));
//     if (found.hit)  replay found.hit as server bytes through the session's row pipeline
//     if (found.fill) feed it from the server's bytes; then co_await cache->store(worker, fill)
// Around everything that may write, autocommit statement or COMMIT (not each statement within a
// transaction: the marks of all its tables are taken before COMMIT is forwarded):
//     WriteMark mark = co_await cache->begin_write(worker, scope, tables, unknown_write_set);
//     forward; await the server's acknowledgement and, where wanted, the WAL position behind it
//     co_await cache->end_write(worker, std::move(mark), position);   // before the client's answer
// A failed statement or a rolled-back transaction ends its write too. A write whose outcome is
// unknown (connection lost) drops its mark: the lease then keeps its tables uncached for a while.
//
// Promise (docs of the design, section Cache; research 3.3): a hit returns what the database would
// have answered at some moment between the request and the answer, as long as all writers go
// through instances that share this cache. Versions of all tables are captured before the read and
// compared at the hit; while a table is marked nothing that reads it is served or stored.
//
// Not promised: writes that bypass Postern (the TTL bounds them); a statement left running by a
// crashed instance past mark_lease; Redis losing its memory, or failing over to an older copy,
// while an instance is cut off from it; an instance that starts and writes without having reached
// Redis even once; Redis' clock stepping back by more than a lease.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "proxy/cache/fill.hpp"
#include "proxy/cache/key.hpp"
#include "proxy/cache/log_limit.hpp"
#include "proxy/cache/setup.hpp"
#include "proxy/cache/snapshot.hpp"
#include "proxy/net/worker.hpp"

namespace postern::proxy {

class ResultCache;
class LocalStore;
class RedisStore;

/// A read that may be answered from the cache.
struct CacheQuery {
  CacheKey key;                      ///< of ResultCache::key
  std::string scope;                 ///< the database: cluster and database name; any bytes
  std::vector<Oid> tables;           ///< all base tables it depends on, ascending, without 0
  std::chrono::milliseconds ttl{0};  ///< 0: the ttl of [cache]
};

/// At most one of the two. Neither: a miss that must not be stored (a table is being written, or
/// the store cannot be used).
struct CacheLookup {
  std::optional<CachedAnswer> hit;
  std::shared_ptr<CacheFill> fill;
};

/// A write under way. Move-only; whoever holds it must pass it to end_write. Dropped otherwise, it
/// stands for a write whose outcome is unknown. Any thread; the cache outlives it.
class WriteMark {
 public:
  WriteMark() = default;
  WriteMark(WriteMark&& other) noexcept;
  WriteMark& operator=(WriteMark&& other) noexcept;
  ~WriteMark();

  /// Stands for a write that is not ended yet.
  [[nodiscard]] bool active() const { return cache_ != nullptr; }

 private:
  friend class ResultCache;
  ResultCache* cache_ = nullptr;
  std::string scope_;
  std::vector<Oid> tables_;  ///< {0} where any table may change
  std::string id_;
  std::optional<SteadyClock::time_point> held_until_;  ///< the store confirmed it until then
};

/// One per process; all members are thread-safe. It must outlive the sessions of all workers it was
/// used on, and may be destroyed after the workers. Nothing here ever fails a query: trouble is a
/// miss, counted in cache_errors and logged.
class ResultCache {
 public:
  /// Answers larger than this are never buffered, whatever max_entry_bytes says.
  static constexpr std::size_t kMaxEntryBytes = 64u << 20;
  /// Most tables a cached read may depend on; one with more is a miss without fill.
  static constexpr std::size_t kMaxTables = 256;

  /// crypto::init() has run. The secret has at least 16 bytes, checked.
  explicit ResultCache(CacheSetup setup);
  ResultCache(const ResultCache&) = delete;
  ResultCache& operator=(const ResultCache&) = delete;
  ~ResultCache();

  [[nodiscard]] CacheKey key(const CacheKeyParts& parts) const;

  /// Takes at most lookup_deadline longer than the in-process work; resumes on `worker`.
  Task<CacheLookup> lookup(Worker* worker, CacheQuery query);
  /// Stores a complete fill unless a table was written or marked since its lookup. An incomplete
  /// or null one is dropped. The session need not wait: worker->spawn(cache->store(...)).
  Task<void> store(Worker* worker, std::shared_ptr<CacheFill> fill);

  /// Marks tables before a write of them is forwarded. `tables` in any order; `any_table` where the
  /// write set is not known. Returns within write_deadline whether the store can be reached or not.
  Task<WriteMark> begin_write(Worker* worker, std::string scope, std::vector<Oid> tables,
                              bool any_table);
  /// Makes all answers that read the tables unusable and removes the mark. `position` is a WAL
  /// position at or behind the write's commit, if known: without it only the primary's answers are
  /// stored until the next write. Returns as soon as no instance can serve an older answer; with
  /// Redis out of reach and the write unmarked, that is when this instance's registration has
  /// expired (at most writer_lease and a little), and hits here stay off until all older entries
  /// have been made unusable.
  Task<void> end_write(Worker* worker, WriteMark mark, std::optional<std::uint64_t> position);

  /// A WAL position of the primary, asked for at `asked` (the monitor's regular probe will do). It
  /// lets replicas' answers be stored for tables whose last write's position is not known, new ones
  /// among them: see CacheFill::required_position. Costs nothing.
  void note_position(std::string_view scope, std::uint64_t position, SteadyClock::time_point asked);

  /// Orderly end of this instance: others no longer wait for it. Call when no write is under way
  /// or will follow. Without Redis nothing happens.
  Task<void> leave(Worker* worker);

  /// Bytes held in this process (sealed entries and bookkeeping); 0 with Redis.
  [[nodiscard]] std::size_t held_bytes() const;

 private:
  friend class WriteMark;
  void abandon(WriteMark& mark);
  [[nodiscard]] std::string scope_name(ByteView scope) const;
  std::optional<KnownPosition> known_position(const std::string& scope);
  Task<CacheSnapshot> snapshot(Worker* worker, const CacheQuery* query);
  std::optional<CachedAnswer> open(const CacheQuery& query, const CacheSnapshot& snapshot);

  CacheSetup setup_;
  LogLimit refusals_{std::chrono::seconds(10)};
  std::mutex positions_mutex_;
  std::map<std::string, KnownPosition> positions_;  ///< by scope name
  Secret name_key_;
  Secret seal_key_;
  std::variant<std::unique_ptr<LocalStore>, std::unique_ptr<RedisStore>> store_;
};

}  // namespace postern::proxy
