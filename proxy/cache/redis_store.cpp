#include "proxy/cache/redis_store.hpp"

#include <charconv>
#include <utility>

#include "crypto/init.hpp"
#include "proxy/cache/table_version.hpp"
#include "proxy/sinks/log.hpp"

namespace postern::proxy {
namespace {

using std::chrono::milliseconds;
using Time = SteadyClock::time_point;

constexpr std::string_view kWritersKey = "postern:writers";
constexpr std::size_t kPositionDigits = 16;
/// Pause after a failed join, in leases.
constexpr int kJoinPauseLeases = 6;

std::int64_t millis(Time moment) {
  return std::chrono::duration_cast<milliseconds>(moment.time_since_epoch()).count();
}

void append_version_keys(const CachePlace& place, std::vector<std::string>& keys) {
  for (const Oid table : place.tables) {
    keys.push_back("postern:{" + place.scope + "}:v:" + std::to_string(table));
  }
}

std::vector<std::string> read_keys(const CachePlace& place) {
  std::vector<std::string> keys = {std::string(kWritersKey),
                                   "postern:{" + place.scope + "}:e:" + place.name};
  append_version_keys(place, keys);
  return keys;
}

std::vector<std::string> write_keys(const CachePlace& place) {
  std::vector<std::string> keys = {std::string(kWritersKey)};
  append_version_keys(place, keys);
  return keys;
}

Bytes fresh_token() {
  return crypto::random_bytes(kTokenBytes);
}

Bytes position_digits(std::optional<std::uint64_t> position) {
  if (!position || *position >= kPositionUnknown) return {};
  Bytes raw;
  append_be64(raw, *position);
  return to_hex(raw);
}

std::optional<std::vector<std::uint64_t>> read_positions(ByteView digits, std::size_t count) {
  if (digits.size() != count * kPositionDigits) return std::nullopt;
  const std::optional<Bytes> raw = from_hex(digits);
  if (!raw) return std::nullopt;
  std::vector<std::uint64_t> positions;
  for (std::size_t i = 0; i < count; ++i) positions.push_back(load_be64(raw->data() + 8 * i));
  return positions;
}

Task<void> sleep_for(Worker* worker, milliseconds time) {
  Timer timer(worker->executor());
  timer.expires_after(time);
  auto waiting = timer.async_wait(kAwait);
  co_await std::move(waiting);
}

}  // namespace

RedisStore::RedisStore(const CacheSetup* setup) : setup_(setup), me_("w:" + setup->instance) {
  access_.endpoint.host = setup->options.redis.host;
  access_.endpoint.port = setup->options.redis.port;
  access_.password = setup->options.redis_password.clone();
  access_.connect_timeout = setup->timings.connect_timeout;
  access_.breaker_pause = setup->timings.breaker_pause;
}

RedisLink& RedisStore::link(Worker* worker) {
  const std::lock_guard lock(links_mutex_);
  auto& found = links_[worker];
  if (found == nullptr) found = std::make_unique<RedisLink>(worker, &access_);
  return *found;
}

Task<Result<RedisReply>> RedisStore::call(Worker* worker, RedisCall call, milliseconds deadline) {
  start_keeping(worker);
  RedisLink& own = link(worker);
  Result<RedisReply> reply = co_await own.call(std::move(call), deadline);
  if (!reply) setup_->metrics->cache_errors.add();
  co_return reply;
}

// ---- registration -------------------------------------------------------------------------------

void RedisStore::note_clock(std::int64_t redis_now) {
  // Our clock was read after Redis' own, so moments computed from this come early, never late.
  clock_offset_ = redis_now - millis(SteadyClock::now());
}

std::string RedisStore::redis_moment(Time moment) const {
  return std::to_string(millis(moment) + clock_offset_);
}

void RedisStore::start_keeping(Worker* worker) {
  if (!keeping_.exchange(true)) worker->spawn(keep(worker));
}

Task<void> RedisStore::keep(Worker* worker) {
  const milliseconds step = setup_->timings.writer_lease / 3;
  for (;;) {
    co_await sleep_for(worker, step);
    if (membership_.serving()) {
      co_await renew(worker);
    } else {
      co_await join(worker);
    }
  }
}

Task<void> RedisStore::renew(Worker* worker) {
  const milliseconds lease = setup_->timings.writer_lease;
  const Time until = SteadyClock::now() + lease;
  if (!membership_.begin_renewal(until)) co_return;
  RedisCall renewal{RedisScript::kRenew, {std::string(kWritersKey)}, {}};
  renewal.arguments = {me_, redis_moment(until), std::to_string(lease.count())};
  const Result<RedisReply> reply =
      co_await call(worker, std::move(renewal), setup_->timings.write_deadline);
  if (!reply) co_return;
  note_registered(*reply);
  if (reply->integer > 1) note_clock(reply->integer);
}

void RedisStore::note_registered(const RedisReply& reply) {
  if (reply.type == RedisReply::Type::kInteger && reply.integer != 0) return;
  // Redis lost its memory, or somebody removed us: what it holds cannot be trusted.
  log_warning("cache_registration_lost", {{"redis", access_.endpoint.text()}});
  membership_.suspend(SteadyClock::now());
}

void RedisStore::start_joining(Worker* worker) {
  if (!joining_ && membership_.may_join(SteadyClock::now())) worker->spawn(join(worker));
}

// Asks for the time first: only a Redis that answers gets to grant a lease, since each lease asked
// for may have to be waited for.
Task<void> RedisStore::join(Worker* worker) {
  if (!membership_.may_join(SteadyClock::now()) || joining_.exchange(true)) co_return;
  const bool answers = co_await ask_clock(worker);
  const Time now = SteadyClock::now();
  const Time until = now + setup_->timings.writer_lease;
  std::optional<Membership::Join> begun;
  if (answers) begun = membership_.begin_join(now, until);
  if (begun) {
    const bool joined = co_await try_join(worker, *begun, until);
    const Time pause_until = until + kJoinPauseLeases * setup_->timings.writer_lease;
    membership_.end_join(*begun, joined, pause_until);
  }
  joining_ = false;
}

Task<bool> RedisStore::ask_clock(Worker* worker) {
  RedisCall asking{RedisScript::kTime, {}, {}};
  const Result<RedisReply> reply =
      co_await call(worker, std::move(asking), setup_->timings.write_deadline);
  if (!reply || reply->type != RedisReply::Type::kInteger) co_return false;
  note_clock(reply->integer);
  co_return true;
}

Task<bool> RedisStore::try_join(Worker* worker, Membership::Join join, Time until) {
  RedisCall joining{RedisScript::kJoin, {std::string(kWritersKey)}, {}};
  joining.arguments = {me_, fresh_token(), redis_moment(until), join.force ? "1" : "0",
                       std::to_string(setup_->timings.writer_lease.count())};
  const Result<RedisReply> reply =
      co_await call(worker, std::move(joining), setup_->timings.write_deadline);
  if (!reply || reply->type != RedisReply::Type::kInteger) co_return false;
  note_clock(reply->integer);
  co_return true;
}

Task<void> RedisStore::leave(Worker* worker) {
  membership_.leave();
  RedisCall leaving{RedisScript::kLeave, {std::string(kWritersKey)}, {me_}};
  (void)co_await call(worker, std::move(leaving), setup_->timings.write_deadline);
}

// ---- reads --------------------------------------------------------------------------------------

CacheSnapshot RedisStore::read_snapshot(RedisReply reply, std::vector<Oid> tables) {
  CacheSnapshot snapshot;
  if (reply.elements.empty()) return snapshot;
  const std::int64_t state = reply.elements[0].integer;
  if (state == kRedisMarked) snapshot.state = CacheSnapshot::State::kMarked;
  if (state == kRedisWriterGone && writer_gone_.allow(SteadyClock::now())) {
    log_warning("cache_instance_gone", {{"redis", access_.endpoint.text()}});
  }
  if (state == kRedisUnregistered) note_registered(RedisReply{});
  if (state != kRedisClear || reply.elements.size() != 4) return snapshot;
  auto positions = read_positions(reply.elements[3].text, tables.size());
  Bytes& tokens = reply.elements[2].text;
  if (!positions || tokens.size() != (tables.size() + 1) * kTokenBytes) {
    setup_->metrics->cache_errors.add();
    return snapshot;
  }
  snapshot.state = CacheSnapshot::State::kClear;
  snapshot.versions = {std::move(tables), std::move(tokens), std::move(*positions)};
  if (reply.elements[1].type == RedisReply::Type::kText) {
    snapshot.entry = std::make_shared<const Bytes>(std::move(reply.elements[1].text));
  }
  return snapshot;
}

Task<CacheSnapshot> RedisStore::look(Worker* worker, CachePlace place) {
  if (!membership_.serving()) {
    start_joining(worker);
    co_return CacheSnapshot();
  }
  RedisCall looking{RedisScript::kLookup, read_keys(place), {me_, fresh_token(), {}, {}}};
  if (place.known) {
    // Early by a lease, so that a step of Redis' clock between two renewals does no harm.
    looking.arguments[2] = position_digits(place.known->position);
    looking.arguments[3] = redis_moment(place.known->at - setup_->timings.writer_lease);
  }
  Result<RedisReply> reply =
      co_await call(worker, std::move(looking), setup_->timings.lookup_deadline);
  // A write that failed meanwhile has made what came back doubtful.
  if (!reply || !membership_.serving()) co_return CacheSnapshot();
  co_return read_snapshot(std::move(*reply), std::move(place.tables));
}

Task<bool> RedisStore::put(Worker* worker, CachePlace place, Bytes tokens, SealedValue value) {
  if (!membership_.serving()) co_return false;
  RedisCall storing{RedisScript::kStore, read_keys(place), {}};
  storing.arguments = {me_, fresh_token(), std::move(tokens), std::move(value.entry),
                       std::to_string(value.ttl.count())};
  const Result<RedisReply> reply =
      co_await call(worker, std::move(storing), setup_->timings.lookup_deadline);
  co_return reply && reply->integer == 1;
}

// ---- writes -------------------------------------------------------------------------------------

Task<std::optional<Time>> RedisStore::mark(Worker* worker, CachePlace place, std::string id) {
  // Registered first: only then can a write that cannot be told of wait for others to notice.
  if (!membership_.serving()) co_await join(worker);
  const milliseconds lease = setup_->timings.mark_lease;
  const Time until = SteadyClock::now() + lease;
  RedisCall marking{RedisScript::kMark, write_keys(place), {}};
  marking.arguments = {me_, fresh_token(), std::move(id), std::to_string(lease.count())};
  const Result<RedisReply> reply =
      co_await call(worker, std::move(marking), setup_->timings.write_deadline);
  if (!reply) co_return std::nullopt;
  if (membership_.serving()) note_registered(*reply);
  co_return until;
}

Task<bool> RedisStore::try_bump(Worker* worker, const CachePlace* place, const WriteEnd* end) {
  RedisCall bumping{RedisScript::kBump, write_keys(*place), {}};
  bumping.arguments = {me_, fresh_token(), end->id, position_digits(end->position)};
  const Result<RedisReply> reply =
      co_await call(worker, std::move(bumping), setup_->timings.write_deadline);
  if (!reply) co_return false;
  if (membership_.serving()) note_registered(*reply);
  co_return true;
}

Task<bool> RedisStore::bump_patiently(Worker* worker, const CachePlace* place,
                                      const WriteEnd* end) {
  const Time patience = SteadyClock::now() + setup_->timings.bump_patience;
  for (;;) {
    const bool bumped = co_await try_bump(worker, place, end);
    if (bumped) co_return true;
    if (!membership_.serving() || SteadyClock::now() >= patience) co_return false;
    co_await sleep_for(worker, kRetryStep);
  }
}

Task<void> RedisStore::wait_for_lease(Worker* worker, const CachePlace* place,
                                      const WriteEnd* end) {
  bool bumped = false;
  while (!bumped && SteadyClock::now() < membership_.lease_end() + kLeaseMargin) {
    co_await sleep_for(worker, kRetryStep);
    bumped = co_await try_bump(worker, place, end);
  }
}

Task<void> RedisStore::bump(Worker* worker, CachePlace place, WriteEnd end) {
  const bool bumped = co_await bump_patiently(worker, &place, &end);
  if (bumped) co_return;
  if (membership_.serving()) log_warning("cache_suspended", {{"redis", access_.endpoint.text()}});
  membership_.suspend(SteadyClock::now());
  // A standing mark keeps the others from hits, and its expiry makes older entries unusable.
  const Time now = SteadyClock::now();
  if (end.held_until && now + kLeaseMargin < *end.held_until) co_return;
  membership_.wait_begins();
  co_await wait_for_lease(worker, &place, &end);
  membership_.wait_ends();
}

void RedisStore::abandon(bool marked) {
  if (!marked) membership_.suspend(SteadyClock::now() + setup_->timings.mark_lease);
}

}  // namespace postern::proxy
