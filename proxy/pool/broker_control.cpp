// The broker's other side: operations, background care, what it tells about itself.
#include <utility>

#include "base/codes/pool.hpp"
#include "proxy/pool/broker_pool.hpp"

namespace postern::proxy {
namespace {

/// After a spare connection that could not be opened.
constexpr std::chrono::seconds kPrefillRetry{10};

}  // namespace

// ---- Operations

bool Broker::paused_now(std::string_view database) const {
  const auto it = paused_.find(database);
  return it == paused_.end() ? all_paused_ : it->second;
}

bool Broker::is_paused(std::string_view database) const {
  const std::lock_guard lock(mutex_);
  return database.empty() ? all_paused_ : paused_now(database);
}

void Broker::pause(std::string_view database) {
  Set::Moves moves;
  {
    const std::lock_guard lock(mutex_);
    set_paused(database, true);
    each_pool(database, [&](Pool& pool) { set_.pause(pool, moves); });
    set_.settle(SteadyClock::now(), moves);
    carry_out(moves);
  }
  closed(moves);
}

void Broker::resume(std::string_view database) {
  Set::Moves moves;
  {
    const std::lock_guard lock(mutex_);
    set_paused(database, false);
    const auto now = SteadyClock::now();
    each_pool(database, [&](Pool& pool) { set_.resume(pool, now, moves); });
    carry_out(moves);
  }
  closed(moves);
}

void Broker::set_paused(std::string_view database, bool paused) {
  if (database.empty()) {
    all_paused_ = paused;
    paused_.clear();
  } else {
    paused_.insert_or_assign(std::string(database), paused);
  }
}

void Broker::kill(std::string_view database) {
  pause(database);
  const std::lock_guard lock(mutex_);
  each_pool(database, [&](Pool& pool) { fail_waiters(pool, make_error(pst::kConnectionsKilled)); });
}

void Broker::reconnect(std::string_view database) {
  reconnect([&](const PoolKey& key) { return database.empty() || key.database == database; });
}

void Broker::reconnect(const std::function<bool(const PoolKey&)>& affected) {
  Set::Moves moves;
  {
    const std::lock_guard lock(mutex_);
    const auto now = SteadyClock::now();
    for (auto& [key, pool] : pools_) {
      if (affected(key)) set_.reconnect(*pool, now, moves);
    }
    carry_out(moves);
  }
  closed(moves);
}

void Broker::retune(
    const std::function<PoolSettings(const PoolKey&, const std::string& login)>& settings_of) {
  Set::Moves moves;
  {
    const std::lock_guard lock(mutex_);
    for (auto& [key, pool] : pools_) {
      pool->settings = settings_of(key, pool->settings.login);
      pool->database()->limit = pool->settings.max_db_connections;
      pool->user()->limit = pool->settings.max_user_connections;
    }
    const auto now = SteadyClock::now();
    each_pool({}, [&](Pool& pool) { set_.settle_from(pool, now, moves); });
    carry_out(moves);
  }
  closed(moves);
}

// ---- Waiting for rest

bool Broker::settled(const Watcher& watcher) const {
  for (const auto& [key, pool] : pools_) {
    if (!watcher.database.empty() && key.database != watcher.database) continue;
    if (watcher.what == Watcher::For::kPaused) {
      if (pool->paused && pool->total() > 0) return false;
      continue;
    }
    for (const ServerRecord& record : pool->records) {
      if (pool->outdated(record.tenure)) return false;
    }
  }
  return true;
}

void Broker::check_watchers() {
  std::erase_if(watchers_, [&](const std::shared_ptr<Watcher>& watcher) {
    watcher->failed = shut_down_;
    if (!shut_down_ && !settled(*watcher)) return false;
    watcher->worker->post([watcher] {
      watcher->woken = true;
      watcher->event.set();
    });
    return true;
  });
}

Task<Result<bool>> Broker::watch(Worker* worker, std::shared_ptr<Watcher> watcher,
                                 std::chrono::milliseconds timeout) {
  {
    const std::lock_guard lock(mutex_);
    watchers_.push_back(watcher);
    check_watchers();
  }
  Event* event = &watcher->event;
  const auto ring = [](void* owner) { static_cast<Event*>(owner)->set(); };
  Deadline deadline(worker->deadlines(), ring, event);
  deadline.arm(SteadyClock::now() + timeout);
  while (!watcher->woken && !deadline.expired()) co_await event->wait();
  const std::lock_guard lock(mutex_);
  std::erase(watchers_, watcher);
  if (watcher->failed) co_return make_error(pst::kShuttingDown);
  co_return watcher->woken;
}

Task<Result<bool>> Broker::wait_paused(Worker* worker, std::string database,
                                       std::chrono::milliseconds timeout) {
  auto watcher = std::make_shared<Watcher>(worker, std::move(database), Watcher::For::kPaused);
  co_return co_await watch(worker, std::move(watcher), timeout);
}

Task<Result<bool>> Broker::wait_close(Worker* worker, std::string database,
                                      std::chrono::milliseconds timeout) {
  auto watcher = std::make_shared<Watcher>(worker, std::move(database), Watcher::For::kClosed);
  co_return co_await watch(worker, std::move(watcher), timeout);
}

// ---- Care

std::size_t Broker::tend(SteadyTime now) {
  Set::Moves moves;
  {
    const std::lock_guard lock(mutex_);
    if (shut_down_) return 0;
    each_pool({}, [&](Pool& pool) { set_.tend(pool, now, moves); });
    carry_out(moves);
  }
  return closed(moves);
}

std::vector<PoolTicket> Broker::wanted(SteadyTime now) {
  std::vector<PoolTicket> tickets;
  const std::lock_guard lock(mutex_);
  if (shut_down_) return tickets;
  each_pool({}, [&](Pool& pool) {
    if (pool.last_taker == nullptr || now < pool.next_prefill || !set_.prefill(pool, now)) return;
    pool.next_prefill = now + kPrefillRetry;  // success makes the next one due at once
    tickets.push_back(ticket_for(pool, pool.last_taker, {GrantKind::kOpen, {}}));
  });
  return tickets;
}

void Broker::fail_waiters(Pool& pool, const Error& error) {
  while (pool.waiting() > 0) {
    const std::uint64_t number = pool.waiters().begin()->first;
    set_.cancel(pool, number);
    const auto node = waiters_.extract(number);
    POSTERN_CHECK(!node.empty());
    node.mapped()->outcome = Waiter::Outcome::kFailed;
    node.mapped()->error = error;
    wake(node.mapped());
  }
}

void Broker::shut_down() {
  Set::Moves moves;
  {
    const std::lock_guard lock(mutex_);
    shut_down_ = true;
    const Error error = make_error(pst::kShuttingDown);
    each_pool({}, [&](Pool& pool) {
      fail_waiters(pool, error);
      set_.pause(pool, moves);  // what is given back from now on closes
    });
    set_.settle(SteadyClock::now(), moves);
    carry_out(moves);
  }
  closed(moves);
}

// ---- Reports

std::vector<PoolStats> Broker::stats() const {
  std::vector<PoolStats> result;
  const auto now = SteadyClock::now();
  const std::lock_guard lock(mutex_);
  for (const auto& [key, pool] : pools_) result.push_back(stats_of(*pool, now));
  return result;
}

PoolStats Broker::stats_of(const Pool& pool, SteadyTime now) {
  PoolStats stats;
  stats.key = pool.key;
  stats.size = pool.settings.pool_size;
  stats.total = pool.total();
  stats.idle = pool.idle();
  stats.waiting = pool.waiting();
  stats.sv_active = pool.in_use();
  stats.sv_login = pool.opening();
  for (const auto& entry : pool.idle_list()) {
    ++(now - entry.since > PoolStats::kUsedAfter ? stats.sv_used : stats.sv_idle);
  }
  const std::size_t bound = pool.handles.load(std::memory_order_relaxed);
  stats.cl_active = std::max(bound - std::min(bound, stats.waiting), stats.sv_active);
  if (stats.waiting > 0) {
    const auto longest = now - pool.waiters().begin()->second.since;
    stats.maxwait_us = static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(longest).count());
  }
  stats.paused = pool.paused;
  if (pool.failure.standing()) stats.failing = pool.failure.error().message();
  stats.opened = pool.opened_count;
  stats.closed = pool.closed_count;
  stats.evicted = pool.evicted_count;
  stats.expired = pool.expired_count;
  stats.failures = pool.failure_count;
  return stats;
}

std::vector<ServerInfo> Broker::servers() const {
  std::vector<ServerInfo> result;
  const std::lock_guard lock(mutex_);
  for (const auto& [key, pool] : pools_) {
    for (const ServerRecord& record : pool->records) {
      ServerInfo info;
      info.id = record.id;
      info.key = key;
      info.state = record.state;
      info.connected = record.connected;
      info.requested = record.requested;
      info.backend_pid = record.backend_pid;
      info.close_needed = pool->paused || pool->outdated(record.tenure);
      info.tls = record.tls;
      info.application = record.holder->application;
      if (record.state == ServerState::kActive) info.session = record.holder->session;
      result.push_back(std::move(info));
    }
  }
  return result;
}

std::vector<CapStats> Broker::database_caps() const {
  return caps(database_caps_);
}

std::vector<CapStats> Broker::user_caps() const {
  return caps(user_caps_);
}

std::vector<CapStats> Broker::caps(const std::map<std::string, SharedCap>& of) const {
  std::vector<CapStats> result;
  const std::lock_guard lock(mutex_);
  for (const auto& [name, cap] : of) result.push_back({name, cap.limit, cap.used});
  return result;
}

}  // namespace postern::proxy
