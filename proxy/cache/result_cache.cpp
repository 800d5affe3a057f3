#include "proxy/cache/result_cache.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "crypto/hash.hpp"
#include "crypto/init.hpp"
#include "proxy/cache/local_store.hpp"
#include "proxy/cache/redis_store.hpp"
#include "proxy/cache/seal.hpp"
#include "proxy/sinks/log.hpp"

namespace postern::proxy {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kMinSecretBytes = 16;
constexpr std::size_t kScopeBytes = 16;
constexpr std::size_t kMarkIdBytes = 12;
/// Entries live for a random time between this share of their ttl and all of it, so that those
/// filled together do not end together.
constexpr std::int64_t kJitterPercent = 10;
/// Table 0 stands for the whole database: every read depends on it.
constexpr Oid kAnyTable = 0;

milliseconds jittered(milliseconds ttl) {
  const std::int64_t span = ttl.count() * kJitterPercent / 100;
  if (span <= 0) return ttl;
  return ttl - milliseconds(crypto::random_u32() % (static_cast<std::uint64_t>(span) + 1));
}

std::vector<Oid> with_any_table(std::vector<Oid> tables) {
  tables.insert(tables.begin(), kAnyTable);
  return tables;
}

std::vector<Oid> written(std::vector<Oid> tables, bool any_table) {
  if (any_table) return {kAnyTable};
  std::sort(tables.begin(), tables.end());
  tables.erase(std::unique(tables.begin(), tables.end()), tables.end());
  return tables;
}

bool ascending(const std::vector<Oid>& tables) {
  return std::adjacent_find(tables.begin(), tables.end(), std::greater_equal<>()) == tables.end();
}

}  // namespace

// ---- marks --------------------------------------------------------------------------------------

WriteMark::WriteMark(WriteMark&& other) noexcept
    : cache_(std::exchange(other.cache_, nullptr)),
      scope_(std::move(other.scope_)),
      tables_(std::move(other.tables_)),
      id_(std::move(other.id_)),
      held_until_(other.held_until_) {}

WriteMark& WriteMark::operator=(WriteMark&& other) noexcept {
  if (this == &other) return *this;
  if (active()) cache_->abandon(*this);
  cache_ = std::exchange(other.cache_, nullptr);
  scope_ = std::move(other.scope_);
  tables_ = std::move(other.tables_);
  id_ = std::move(other.id_);
  held_until_ = other.held_until_;
  return *this;
}

WriteMark::~WriteMark() {
  if (active()) cache_->abandon(*this);
}

void ResultCache::abandon(WriteMark& mark) {
  mark.cache_ = nullptr;
  if (auto* redis = std::get_if<std::unique_ptr<RedisStore>>(&store_)) {
    const auto now = SteadyClock::now();
    (*redis)->abandon(mark.held_until_ && now < *mark.held_until_);
  }
}

// ---- the cache ----------------------------------------------------------------------------------

ResultCache::ResultCache(CacheSetup setup) : setup_(std::move(setup)) {
  POSTERN_CHECK(setup_.metrics != nullptr);
  POSTERN_CHECK(setup_.secret.size() >= kMinSecretBytes);
  name_key_ = derive_cache_key(setup_.secret.reveal(), "postern cache names");
  seal_key_ = derive_cache_key(setup_.secret.reveal(), "postern cache entries");
  if (setup_.options.redis.empty()) {
    store_ = std::make_unique<LocalStore>(setup_.options.max_bytes.bytes, setup_.clock.now);
  } else {
    POSTERN_CHECK(!setup_.instance.empty() && setup_.instance.size() <= 200);
    store_ = std::make_unique<RedisStore>(&setup_);
  }
}

ResultCache::~ResultCache() = default;

CacheKey ResultCache::key(const CacheKeyParts& parts) const {
  return make_cache_key(parts, name_key_.reveal());
}

std::string ResultCache::scope_name(ByteView scope) const {
  return to_hex(crypto::blake2b(scope, kScopeBytes, name_key_.reveal()));
}

Task<CacheSnapshot> ResultCache::snapshot(Worker* worker, const CacheQuery* query) {
  CachePlace place{query->scope, with_any_table(query->tables), query->key.name, {}};
  place.known = known_position(query->scope);
  if (auto* local = std::get_if<std::unique_ptr<LocalStore>>(&store_)) {
    co_return (*local)->look(place);
  }
  RedisStore& redis = *std::get<std::unique_ptr<RedisStore>>(store_);
  CacheSnapshot found = co_await redis.look(worker, std::move(place));
  co_return found;
}

std::optional<CachedAnswer> ResultCache::open(const CacheQuery& query,
                                              const CacheSnapshot& snapshot) {
  if (snapshot.entry == nullptr) return std::nullopt;
  const SealScope scope{seal_key_.reveal(), &query.key, query.scope, &snapshot.versions};
  auto opened = open_answer(scope, *snapshot.entry, setup_.clock.unix_millis());
  if (opened) return std::move(*opened);
  setup_.metrics->cache_errors.add();
  if (refusals_.allow(SteadyClock::now())) log_failure("cache_entry_refused", opened.error());
  return std::nullopt;
}

Task<CacheLookup> ResultCache::lookup(Worker* worker, CacheQuery query) {
  CacheLookup result;
  const bool usable = query.tables.size() <= kMaxTables && ascending(query.tables) &&
                      (query.tables.empty() || query.tables.front() != kAnyTable);
  query.scope = scope_name(query.scope);
  CacheSnapshot found;
  if (usable) found = co_await snapshot(worker, &query);
  result.hit = open(query, found);
  (result.hit ? setup_.metrics->cache_hits : setup_.metrics->cache_misses).add();
  if (result.hit || found.state != CacheSnapshot::State::kClear) co_return result;
  const std::size_t limit =
      std::min<std::uint64_t>(kMaxEntryBytes, setup_.options.max_entry_bytes.bytes);
  const milliseconds ttl = query.ttl.count() > 0 ? query.ttl : setup_.options.ttl;
  result.fill =
      std::make_shared<CacheFill>(std::move(query.key), std::move(query.scope),
                                  std::move(found.versions), CacheFill::Limits{limit, ttl});
  co_return result;
}

Task<void> ResultCache::store(Worker* worker, std::shared_ptr<CacheFill> fill) {
  if (fill == nullptr || !fill->is_complete()) co_return;
  const milliseconds ttl = jittered(fill->ttl());
  const SealScope scope{seal_key_.reveal(), &fill->key(), fill->scope(), &fill->versions()};
  const auto expires_at = setup_.clock.unix_millis() + static_cast<std::uint64_t>(ttl.count());
  SealedValue value{seal_answer(scope, fill->answer(), expires_at), ttl};
  CachePlace place{fill->scope(), fill->versions().tables, fill->key().name, {}};
  Bytes tokens = fill->versions().tokens;
  bool stored = false;
  if (auto* local = std::get_if<std::unique_ptr<LocalStore>>(&store_)) {
    stored = (*local)->put(place, tokens, std::move(value.entry));
  } else {
    RedisStore& redis = *std::get<std::unique_ptr<RedisStore>>(store_);
    stored = co_await redis.put(worker, std::move(place), std::move(tokens), std::move(value));
  }
  if (stored) setup_.metrics->cache_fills.add();
}

Task<WriteMark> ResultCache::begin_write(Worker* worker, std::string scope, std::vector<Oid> tables,
                                         bool any_table) {
  WriteMark mark;
  mark.scope_ = scope_name(scope);
  mark.tables_ = written(std::move(tables), any_table);
  if (mark.tables_.empty()) co_return mark;
  mark.id_ = to_hex(crypto::random_bytes(kMarkIdBytes));
  mark.cache_ = this;
  CachePlace place{mark.scope_, mark.tables_, {}, {}};
  if (auto* local = std::get_if<std::unique_ptr<LocalStore>>(&store_)) {
    mark.held_until_ = setup_.clock.now() + setup_.timings.mark_lease;
    (*local)->mark(place, {mark.id_, *mark.held_until_});
    co_return mark;
  }
  RedisStore& redis = *std::get<std::unique_ptr<RedisStore>>(store_);
  std::string id = mark.id_;
  mark.held_until_ = co_await redis.mark(worker, std::move(place), std::move(id));
  co_return mark;
}

Task<void> ResultCache::end_write(Worker* worker, WriteMark mark,
                                  std::optional<std::uint64_t> position) {
  if (!mark.active()) co_return;
  WriteEnd end{mark.id_, position, mark.held_until_};
  CachePlace place{mark.scope_, mark.tables_, {}, {}};
  if (auto* local = std::get_if<std::unique_ptr<LocalStore>>(&store_)) {
    (*local)->bump(place, end);
  } else {
    RedisStore& redis = *std::get<std::unique_ptr<RedisStore>>(store_);
    co_await redis.bump(worker, std::move(place), std::move(end));
  }
  setup_.metrics->cache_invalidations.add(mark.tables_.size());
  mark.cache_ = nullptr;
}

void ResultCache::note_position(std::string_view scope, std::uint64_t position,
                                SteadyClock::time_point asked) {
  std::string name = scope_name(scope);
  const std::lock_guard lock(positions_mutex_);
  KnownPosition& known = positions_[std::move(name)];
  if (asked > known.at) known = {position, asked};
}

std::optional<KnownPosition> ResultCache::known_position(const std::string& scope) {
  const std::lock_guard lock(positions_mutex_);
  const auto found = positions_.find(scope);
  if (found == positions_.end()) return std::nullopt;
  return found->second;
}

Task<void> ResultCache::leave(Worker* worker) {
  if (auto* redis = std::get_if<std::unique_ptr<RedisStore>>(&store_)) {
    co_await (*redis)->leave(worker);
  }
}

std::size_t ResultCache::held_bytes() const {
  const auto* local = std::get_if<std::unique_ptr<LocalStore>>(&store_);
  return local != nullptr ? (*local)->held_bytes() : 0;
}

}  // namespace postern::proxy
