// What the broker keeps per pool, connection and waiter. For the files of Broker alone.
#pragma once

#include <atomic>
#include <list>
#include <memory>
#include <optional>
#include <string>

#include "proxy/pool/broker.hpp"

namespace postern::proxy {

/// The part of a pool that handles and tickets see. Pools live as long as their broker.
struct PoolRef {
  Broker* broker = nullptr;
  PoolKey key;
  std::atomic<std::uint32_t> handles{0};
};

/// One server connection, from opened() to its end; its fields change under the broker's lock.
struct ServerRecord {
  PoolRef* pool = nullptr;
  std::list<ServerRecord>::iterator self;
  std::uint64_t id = 0;
  Tenure tenure;
  SteadyTime connected;
  SteadyTime requested;
  std::uint32_t backend_pid = 0;
  bool tls = false;
  ServerState state = ServerState::kActive;
  std::shared_ptr<const Taker> holder;  ///< the present, or while idle the last one
};

struct Broker::Pool : PoolRef, Broker::State {
  using State::State;
  std::list<ServerRecord> records;
  std::shared_ptr<const Taker> last_taker;
  SteadyTime next_prefill{};
  std::uint64_t opened_count = 0;
  std::uint64_t closed_count = 0;
  std::uint64_t evicted_count = 0;
  std::uint64_t expired_count = 0;
  std::uint64_t failure_count = 0;
};

/// `outcome` is written under the lock before the waiter is woken; `woken` belongs to its worker.
struct Broker::Waiter {
  enum class Outcome : std::uint8_t { kPending, kGranted, kFailed, kTaken };
  Waiter(Worker* w, Pool* p, std::shared_ptr<const Taker> t)
      : worker(w), event(w->executor()), pool(p), taker(std::move(t)) {}
  Worker* worker;
  Event event;
  Pool* pool;
  std::shared_ptr<const Taker> taker;
  std::uint64_t number = 0;
  SteadyTime since;
  Outcome outcome = Outcome::kPending;
  std::optional<Set::Grant> grant;
  Error error;
  bool woken = false;
};

/// Somebody who waits for pools to come to rest.
struct Broker::Watcher {
  enum class For : std::uint8_t { kPaused, kClosed };
  Watcher(Worker* w, std::string d, For f)
      : worker(w), event(w->executor()), database(std::move(d)), what(f) {}
  Worker* worker;
  Event event;
  std::string database;
  For what;
  bool failed = false;  ///< shut down; written before waking
  bool woken = false;
};

/// Pools of a database, or all where it is empty.
template <typename Visit>
void Broker::each_pool(std::string_view database, Visit visit) {
  for (auto& [key, pool] : pools_) {
    if (database.empty() || key.database == database) visit(*pool);
  }
}

}  // namespace postern::proxy
