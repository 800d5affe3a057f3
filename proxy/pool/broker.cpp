#include "proxy/pool/broker.hpp"

#include <algorithm>
#include <random>
#include <utility>

#include "base/codes/net.hpp"
#include "base/codes/pool.hpp"
#include "proxy/pool/broker_pool.hpp"

namespace postern::proxy {
namespace {

constexpr int kJitterPercent = 20;

// lifetime ± 20 %, so that connections opened together do not end together.
SteadyTime expiry_of(std::chrono::milliseconds lifetime, SteadyTime now) {
  if (lifetime.count() <= 0) return SteadyTime::max();
  thread_local std::minstd_rand random{std::random_device{}()};
  std::uniform_int_distribution<int> percent(100 - kJitterPercent, 100 + kJitterPercent);
  return now + lifetime * percent(random) / 100;
}

}  // namespace

struct Broker::Begun {
  std::optional<Result<PoolTicket>> done;
  std::shared_ptr<Waiter> waiter;
};

Broker::Broker(std::function<void(std::size_t)> on_closed) : on_closed_(std::move(on_closed)) {}
Broker::~Broker() = default;

Broker::Pool& Broker::owner_of(State& state) {
  return static_cast<Pool&>(state);
}

Broker::SharedCap& Broker::cap_of(std::map<std::string, SharedCap>& caps, const std::string& name) {
  return caps.try_emplace(name).first->second;
}

Broker::Pool& Broker::pool_of(const Request& request) {
  std::unique_ptr<Pool>& pool = pools_[request.key];
  SharedCap& database = cap_of(database_caps_, request.key.database);
  SharedCap& user = cap_of(user_caps_, request.key.user);
  if (pool == nullptr) {
    pool = std::make_unique<Pool>(request, &database, &user);
    pool->broker = this;
    pool->key = request.key;
    pool->paused = paused_now(request.key.database);
  }
  pool->settings = request;
  database.limit = request.max_db_connections;
  user.limit = request.max_user_connections;
  return *pool;
}

PoolHandle Broker::handle(const Worker* worker, const Request& request) {
  auto taker = std::make_shared<const Taker>(
      Taker{request.identity, request.application, request.session, worker});
  const std::lock_guard lock(mutex_);
  return PoolHandle(&pool_of(request), std::move(taker));
}

// ---- Taking

Task<Result<PoolTicket>> Broker::acquire(Worker* worker, Request request) {
  const PoolHandle bound = handle(worker, request);
  const WaitLimits limits = request;
  co_return co_await acquire(worker, &bound, limits);
}

Task<Result<PoolTicket>> Broker::acquire(Worker* worker, const PoolHandle* handle,
                                         WaitLimits limits) {
  Begun begun = begin(worker, *handle);
  if (begun.done) {
    if (*begun.done) check_alive(worker, **begun.done);
    co_return std::move(*begun.done);
  }
  Result<PoolTicket> ticket = co_await wait(worker, std::move(begun.waiter), limits);
  if (ticket) check_alive(worker, *ticket);
  co_return ticket;
}

PoolTicket Broker::take_idle(const Worker* worker, const PoolHandle& handle) {
  Pool& pool = static_cast<Pool&>(*handle.pool_);
  PoolTicket ticket;
  {
    const std::lock_guard lock(mutex_);
    if (pool.paused || pool.idle() == 0) return ticket;
    const auto index = pool.find_idle(TakerRef(handle.taker_));
    if (!index) return ticket;
    ticket = ticket_for(pool, handle.taker_, {GrantKind::kUse, pool.take_idle(*index)});
  }
  check_alive(worker, ticket);
  return ticket;
}

Broker::Begun Broker::begin(Worker* worker, const PoolHandle& handle) {
  Pool& pool = static_cast<Pool&>(*handle.pool_);
  Set::Moves moves;
  Begun begun;
  {
    const std::lock_guard lock(mutex_);
    if (shut_down_) {
      begun.done = make_error(pst::kShuttingDown);
      return begun;
    }
    const auto now = SteadyClock::now();
    const std::uint64_t number = next_waiter_++;
    Set::Grant grant = set_.acquire(pool, TakerRef(handle.taker_), number, now, moves);
    if (grant.kind == GrantKind::kFail) {
      begun.done = failure_of(pool, now);
    } else if (grant.kind == GrantKind::kWait) {
      begun.waiter = std::make_shared<Waiter>(worker, &pool, handle.taker_);
      begun.waiter->number = number;
      begun.waiter->since = now;
      waiters_.emplace(number, begun.waiter);
    } else {
      begun.done = ticket_for(pool, handle.taker_, std::move(grant));
    }
    carry_out(moves);
  }
  closed(moves);
  return begun;
}

PoolTicket Broker::ticket_for(Pool& pool, std::shared_ptr<const Taker> taker, Set::Grant grant) {
  if (pool.last_taker != taker) pool.last_taker = taker;
  PoolTicket ticket(this, &pool, std::move(taker));
  ticket.generation_ = pool.generation;
  if (!grant.taken) return ticket;
  ticket.server_ = std::move(grant.taken->connection.server);
  ticket.record_ = grant.taken->connection.record;
  ticket.record_->state = ServerState::kActive;
  ticket.record_->requested = SteadyClock::now();
  if (ticket.record_->holder != ticket.taker_) ticket.record_->holder = ticket.taker_;
  return ticket;
}

// The server closed it, or spoke out of turn: not worth anything any more. Its slot is the taker's.
void Broker::check_alive(const Worker* worker, PoolTicket& ticket) {
  if (!ticket.has_server() || ticket.server_.transport.glance(worker) == IdleState::kQuiet) return;
  ticket.server_ = IdleServer{};
  lost(ticket);
  if (on_closed_) on_closed_(1);
}

// ---- Waiting

namespace {

struct Alarm {
  Event* event;
  bool rung = false;
};

void on_alarm(void* owner) {
  auto* alarm = static_cast<Alarm*>(owner);
  alarm->rung = true;
  alarm->event->set();
}

/// What has to be seen to while somebody waits.
class Vigil {
 public:
  Vigil(SteadyTime since, const WaitLimits& limits)
      : limits_(limits),
        give_up_(since + limits.timeout),
        notify_(since + limits.notify_after),
        told_(limits.on_wait == nullptr || limits.notify_after.count() <= 0 ||
              notify_ >= give_up_) {}

  [[nodiscard]] SteadyTime next(SteadyTime now) const {
    SteadyTime when = told_ ? give_up_ : std::min(give_up_, notify_);
    if (limits_.is_gone != nullptr) when = std::min(when, now + WaitLimits::kLookInterval);
    return when;
  }
  /// Why to give up; nullopt: wait on.
  std::optional<Pst> look(SteadyTime now) {
    if (limits_.is_gone != nullptr && limits_.is_gone(limits_.owner)) return pst::kTransportClosed;
    if (now >= give_up_) return pst::kPoolTimeout;
    if (!told_ && now >= notify_) {
      told_ = true;
      limits_.on_wait(limits_.owner);
    }
    return std::nullopt;
  }

 private:
  WaitLimits limits_;
  SteadyTime give_up_;
  SteadyTime notify_;
  bool told_;
};

}  // namespace

/// A session destroyed while it waits leaves neither a place in the queue nor a slot behind.
struct Broker::WaiterGuard {
  WaiterGuard(Broker* b, Waiter* w) : broker(b), waiter(w) {}
  WaiterGuard(const WaiterGuard&) = delete;
  WaiterGuard& operator=(const WaiterGuard&) = delete;
  ~WaiterGuard() { broker->abandon(*waiter); }
  Broker* broker;
  Waiter* waiter;
};

Task<Result<PoolTicket>> Broker::wait(Worker* worker, std::shared_ptr<Waiter> waiter,
                                      WaitLimits limits) {
  const WaiterGuard guard(this, waiter.get());
  Vigil vigil(waiter->since, limits);
  Alarm alarm{&waiter->event};
  Deadline deadline(worker->deadlines(), on_alarm, &alarm);
  deadline.arm(vigil.next(waiter->since));
  while (!waiter->woken) {
    co_await waiter->event.wait();
    if (waiter->woken || !alarm.rung) continue;
    alarm.rung = false;
    const auto now = SteadyClock::now();
    const auto verdict = vigil.look(now);
    // Where it is too late to give up, what was granted is already on its way here.
    if (verdict && cancel(*waiter)) co_return make_error(*verdict);
    if (!verdict) deadline.arm(vigil.next(now));
  }
  co_return conclude(*waiter);
}

Result<PoolTicket> Broker::conclude(Waiter& waiter) {
  const std::lock_guard lock(mutex_);
  if (waiter.outcome == Waiter::Outcome::kFailed) return std::move(waiter.error);
  waiter.outcome = Waiter::Outcome::kTaken;
  return ticket_for(*waiter.pool, waiter.taker, std::move(*waiter.grant));
}

bool Broker::cancel(Waiter& waiter) {
  const std::lock_guard lock(mutex_);
  if (!set_.cancel(*waiter.pool, waiter.number)) return false;
  waiters_.erase(waiter.number);
  waiter.outcome = Waiter::Outcome::kFailed;
  return true;
}

void Broker::abandon(Waiter& waiter) {
  PoolTicket unwanted;  // given back after the lock
  const std::lock_guard lock(mutex_);
  if (waiter.outcome == Waiter::Outcome::kPending) {
    set_.cancel(*waiter.pool, waiter.number);
    waiters_.erase(waiter.number);
  } else if (waiter.outcome == Waiter::Outcome::kGranted) {
    unwanted = ticket_for(*waiter.pool, waiter.taker, std::move(*waiter.grant));
  }
  waiter.outcome = Waiter::Outcome::kTaken;
}

Error Broker::failure_of(const Pool& pool, SteadyTime now) {
  using std::chrono::duration_cast;
  using std::chrono::milliseconds;
  const auto since = duration_cast<milliseconds>(now - pool.failure.since()).count();
  return make_error(pst::kUpstreamUnavailable,
                    pool.failure.error().message() + " (so for " + std::to_string(since) + " ms)");
}

// ---- Giving back

void Broker::opened(PoolTicket& ticket, const ServerFacts& facts, bool tls) {
  Pool& pool = static_cast<Pool&>(*ticket.pool_);
  Set::Moves moves;
  {
    const std::lock_guard lock(mutex_);
    ticket.record_ = enrol(pool, ticket, &facts, tls);
    set_.opened(pool, ticket.record_->connected, moves);
    carry_out(moves);
  }
  closed(moves);
}

void Broker::failed(PoolTicket& ticket, Error error) {
  Pool& pool = static_cast<Pool&>(*ticket.pool_);
  Set::Moves moves;
  {
    const std::lock_guard lock(mutex_);
    ++pool.failure_count;
    set_.failed(pool, std::move(error), SteadyClock::now(), moves);
    carry_out(moves);
  }
  closed(moves);
}

void Broker::release(PoolTicket& ticket, IdleServer server) {
  Pool& pool = static_cast<Pool&>(*ticket.pool_);
  Set::Moves moves;
  {
    const std::lock_guard lock(mutex_);
    const auto now = SteadyClock::now();
    if (ticket.record_ == nullptr) {  // never told that it was opened: then it is now
      ticket.record_ = enrol(pool, ticket, server.facts.get(), server.transport.encrypted());
      set_.opened(pool, now, moves);
    }
    ServerRecord* record = ticket.record_;
    record->state = ServerState::kIdle;
    const Tenure tenure = record->tenure;
    set_.release(pool,
                 {{std::move(server), record}, TakerRef(std::move(ticket.taker_)), tenure, now},
                 now, moves);
    carry_out(moves);
  }
  closed(moves);
}

void Broker::discard(PoolTicket& ticket) {
  Pool& pool = static_cast<Pool&>(*ticket.pool_);
  Set::Moves moves;
  {
    const std::lock_guard lock(mutex_);
    const Stage stage = ticket.record_ == nullptr ? Stage::kOpening : Stage::kOpen;
    if (ticket.record_ != nullptr) strike(ticket.record_);
    set_.discard(pool, stage, SteadyClock::now(), moves);
    carry_out(moves);
  }
  closed(moves);
}

void Broker::lost(PoolTicket& ticket) {
  Pool& pool = static_cast<Pool&>(*ticket.pool_);
  Set::Moves moves;
  {
    const std::lock_guard lock(mutex_);
    strike(std::exchange(ticket.record_, nullptr));
    set_.lost(pool, SteadyClock::now(), moves);
    carry_out(moves);
  }
  closed(moves);
}

// ---- Under the lock

ServerRecord* Broker::enrol(Pool& pool, const PoolTicket& ticket, const ServerFacts* facts,
                            bool tls) {
  pool.records.emplace_front();
  ServerRecord& record = pool.records.front();
  record.pool = &pool;
  record.self = pool.records.begin();
  record.id = next_server_++;
  record.connected = SteadyClock::now();
  record.requested = record.connected;
  // What it was opened with was read after the slot was granted, and maybe before a reload since.
  record.tenure = {expiry_of(pool.settings.server_lifetime, record.connected), ticket.generation_};
  if (facts != nullptr) record.backend_pid = facts->backend_pid;
  record.tls = tls;
  record.holder = ticket.taker_;
  pool.next_prefill = {};
  ++pool.opened_count;
  return &record;
}

void Broker::strike(ServerRecord* record) {
  Pool& pool = static_cast<Pool&>(*record->pool);
  ++pool.closed_count;
  pool.records.erase(record->self);
}

void Broker::carry_out(Set::Moves& moves) {
  for (Set::Closing& closing : moves.closing) {
    Pool& pool = owner_of(*closing.pool);
    if (closing.reason == CloseReason::kEvicted) ++pool.evicted_count;
    if (closing.reason == CloseReason::kExpired) ++pool.expired_count;
    strike(closing.connection.record);
  }
  for (Set::Handoff& handoff : moves.handoffs) {
    const auto node = waiters_.extract(handoff.number);
    POSTERN_CHECK(!node.empty());
    Waiter& waiter = *node.mapped();
    if (handoff.grant.kind == GrantKind::kFail) {
      waiter.outcome = Waiter::Outcome::kFailed;
      waiter.error = failure_of(owner_of(*handoff.pool), SteadyClock::now());
    } else {
      waiter.outcome = Waiter::Outcome::kGranted;
      waiter.grant = std::move(handoff.grant);
    }
    wake(node.mapped());
  }
  if (!watchers_.empty()) check_watchers();
}

void Broker::wake(const std::shared_ptr<Waiter>& waiter) {
  waiter->worker->post([waiter] {
    waiter->woken = true;
    waiter->event.set();
  });
}

// Connections themselves close with `moves`, after the lock.
std::size_t Broker::closed(const Set::Moves& moves) {
  if (!moves.closing.empty() && on_closed_) on_closed_(moves.closing.size());
  return moves.closing.size();
}

}  // namespace postern::proxy
