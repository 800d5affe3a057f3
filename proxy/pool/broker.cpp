#include "proxy/pool/broker.hpp"

#include <utility>

#include "base/codes/pool.hpp"

namespace postern::proxy {
namespace {

struct TimeoutContext {
  Event* event;
  bool passed = false;
};

void on_timeout(void* owner) {
  auto* context = static_cast<TimeoutContext*>(owner);
  context->passed = true;
  context->event->set();
}

}  // namespace

Task<Result<PoolTicket>> Broker::acquire(Worker* worker, Request request) {
  const auto give_up = SteadyClock::now() + request.timeout;
  std::shared_ptr<Waiter> waiter;
  std::uint64_t id = 0;
  Grant<IdleServer> grant = try_acquire(request, waiter, id, worker);
  if (waiter != nullptr && waiter->failed) co_return make_error(pst::kShuttingDown);
  if (grant.kind == GrantKind::kWait) {
    TimeoutContext context{&waiter->event};
    Deadline deadline(worker->deadlines(), on_timeout, &context);
    deadline.arm(give_up);
    while (!waiter->served) {
      co_await waiter->event.wait();
      if (waiter->served || !context.passed) continue;
      context.passed = false;
      if (cancel(request.key, id)) co_return make_error(pst::kPoolTimeout);
      // Too late to give up: what was granted is already on its way here.
    }
    if (waiter->failed) co_return make_error(pst::kShuttingDown);
    grant = std::move(waiter->grant);
  }
  // An evicted connection closes here, outside the lock.
  IdleServer server;
  if (grant.connection) server = std::move(*grant.connection);
  if (server.facts != nullptr && server.transport.peek() != IdleState::kQuiet) {
    // The server closed it, or spoke out of turn: not worth anything any more. Its slot is ours.
    server = IdleServer{};
  }
  co_return PoolTicket(this, std::move(request), std::move(server));
}

Grant<IdleServer> Broker::try_acquire(Request& request, std::shared_ptr<Waiter>& waiter,
                                      std::uint64_t& id, Worker* worker) {
  const std::lock_guard lock(mutex_);
  if (shut_down_) {
    waiter = std::make_shared<Waiter>(worker);
    waiter->failed = true;
    return {};
  }
  Pool& pool = pool_of(request.key, request.pool_size);
  request.generation = pool.generation;
  id = next_waiter_++;
  Grant<IdleServer> grant = pool.state.acquire(request.identity, id);
  if (grant.kind == GrantKind::kWait) {
    waiter = std::make_shared<Waiter>(worker);
    pool.waiters.emplace(id, waiter);
  }
  return grant;
}

bool Broker::cancel(const PoolKey& key, std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  Pool& pool = pools_.at(key);
  if (!pool.state.cancel(id)) return false;
  pool.waiters.erase(id);
  return true;
}

void Broker::release(const PoolTicket& ticket, IdleServer server) {
  IdleServer closing;  // destroyed after the lock
  const std::lock_guard lock(mutex_);
  Pool& pool = pools_.at(ticket.key_);
  const bool outdated = ticket.generation_ != pool.generation || pool.state.is_over();
  if (shut_down_ || outdated) {
    closing = std::move(server);
    hand_off(pool, pool.state.discard());
    return;
  }
  hand_off(pool, pool.state.release(std::move(server), ticket.identity_, SteadyClock::now()));
}

void Broker::reconnect(const std::function<bool(const PoolKey&)>& affected) {
  std::vector<IdleServer> closing;  // destroyed after the lock
  const std::lock_guard lock(mutex_);
  for (auto& [key, pool] : pools_) {
    if (!affected(key)) continue;
    ++pool.generation;
    for (IdleServer& server : pool.state.drain()) closing.push_back(std::move(server));
  }
}

void Broker::discard(const PoolKey& key) {
  const std::lock_guard lock(mutex_);
  Pool& pool = pools_.at(key);
  hand_off(pool, pool.state.discard());
}

void Broker::hand_off(Pool& pool, Handoff<IdleServer> handoff) {
  if (!handoff.waiter) return;
  const auto node = pool.waiters.extract(*handoff.waiter);
  POSTERN_CHECK(!node.empty());
  std::shared_ptr<Waiter> waiter = node.mapped();
  waiter->worker->post([waiter, grant = std::move(handoff.grant)]() mutable {
    waiter->grant = std::move(grant);
    waiter->served = true;
    waiter->event.set();
  });
}

Broker::Pool& Broker::pool_of(const PoolKey& key, std::size_t size) {
  Pool& pool = pools_.try_emplace(key, size).first->second;
  pool.state.resize(size);
  return pool;
}

std::size_t Broker::expire(SteadyTime oldest) {
  std::vector<IdleServer> closing;
  {
    const std::lock_guard lock(mutex_);
    for (auto& [key, pool] : pools_) {
      for (IdleServer& server : pool.state.expire(oldest)) closing.push_back(std::move(server));
    }
  }
  return closing.size();
}

void Broker::shut_down() {
  std::vector<IdleServer> closing;
  const std::lock_guard lock(mutex_);
  shut_down_ = true;
  for (auto& [key, pool] : pools_) {
    for (IdleServer& server : pool.state.drain()) closing.push_back(std::move(server));
    for (auto& [id, waiter] : pool.waiters) {
      pool.state.cancel(id);
      waiter->worker->post([waiter = waiter] {
        waiter->failed = true;
        waiter->served = true;
        waiter->event.set();
      });
    }
    pool.waiters.clear();
  }
}

std::vector<PoolStats> Broker::stats() const {
  const std::lock_guard lock(mutex_);
  std::vector<PoolStats> result;
  for (const auto& [key, pool] : pools_) {
    result.push_back(
        {key, pool.state.size(), pool.state.total(), pool.state.idle(), pool.state.waiting()});
  }
  return result;
}

PoolTicket::PoolTicket(Broker* broker, Broker::Request request, IdleServer server)
    : broker_(broker),
      generation_(request.generation),
      key_(std::move(request.key)),
      identity_(std::move(request.identity)),
      server_(std::move(server)) {}

PoolTicket::PoolTicket(PoolTicket&& other) noexcept
    : broker_(std::exchange(other.broker_, nullptr)),
      generation_(other.generation_),
      key_(std::move(other.key_)),
      identity_(std::move(other.identity_)),
      server_(std::move(other.server_)) {}

PoolTicket& PoolTicket::operator=(PoolTicket&& other) noexcept {
  if (this != &other) {
    discard();
    broker_ = std::exchange(other.broker_, nullptr);
    generation_ = other.generation_;
    key_ = std::move(other.key_);
    identity_ = std::move(other.identity_);
    server_ = std::move(other.server_);
  }
  return *this;
}

PoolTicket::~PoolTicket() {
  discard();
}

void PoolTicket::release(IdleServer server) {
  Broker* broker = std::exchange(broker_, nullptr);
  POSTERN_CHECK(broker != nullptr);
  broker->release(*this, std::move(server));
}

void PoolTicket::discard() {
  if (Broker* broker = std::exchange(broker_, nullptr)) broker->discard(key_);
  server_ = IdleServer{};
}

}  // namespace postern::proxy
