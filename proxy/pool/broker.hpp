// The pools of the process: server connections move between workers through here.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "base/result.hpp"
#include "proxy/net/event.hpp"
#include "proxy/net/worker.hpp"
#include "proxy/pool/pool_state.hpp"
#include "proxy/pool/server.hpp"

namespace postern::proxy {

/// One cap: connections of one upstream login to one database on one node.
struct PoolKey {
  std::string node;      ///< endpoint text
  std::string database;  ///< as clients name it
  std::string user;      ///< on the server
  friend auto operator<=>(const PoolKey&, const PoolKey&) = default;
};

/// What the holder of a pool slot has to give back: exactly one of release() or discard().
/// Destroying a ticket that still holds its slot discards it, so no path can leak one.
class PoolTicket;

struct PoolStats {
  PoolKey key;
  std::size_t size = 0;
  std::size_t total = 0;
  std::size_t idle = 0;
  std::size_t waiting = 0;
};

/// All pools. Thread-safe; coroutines resume on the worker they were called on.
class Broker {
 public:
  Broker() = default;
  Broker(const Broker&) = delete;
  Broker& operator=(const Broker&) = delete;

  struct Request {
    PoolKey key;
    std::string identity;  ///< tenant and startup settings: never shared with another identity
    std::size_t pool_size = 1;
    std::chrono::milliseconds timeout{0};
    std::uint64_t generation = 0;  ///< of the pool, at the time of asking; the broker's own
  };

  /// A slot, with an idle connection where there was one, else for the caller to open. Dead idle
  /// connections are dropped on the way. Errors: kPoolTimeout, kShuttingDown.
  Task<Result<PoolTicket>> acquire(Worker* worker, Request request);

  /// Closes idle connections unused since `oldest`; closing happens on the calling thread.
  std::size_t expire(SteadyTime oldest);
  /// Closes the idle connections of the pools that `affected` names, and those in use when they are
  /// given back. Connections opened by slots granted later are not concerned.
  void reconnect(const std::function<bool(const PoolKey&)>& affected);
  /// No further acquire succeeds; waiters fail with kShuttingDown; idle connections close.
  void shut_down();
  [[nodiscard]] std::vector<PoolStats> stats() const;

 private:
  friend class PoolTicket;
  struct Waiter {
    explicit Waiter(Worker* w) : worker(w), event(w->executor()) {}
    Worker* worker;
    Event event;
    Grant<IdleServer> grant;
    bool served = false;
    bool failed = false;  ///< shut_down
  };
  struct Pool {
    explicit Pool(std::size_t size) : state(size) {}
    PoolState<IdleServer> state;
    std::uint64_t generation = 0;  ///< grows with every reconnect()
    std::unordered_map<std::uint64_t, std::shared_ptr<Waiter>> waiters;
  };

  Grant<IdleServer> try_acquire(Request& request, std::shared_ptr<Waiter>& waiter,
                                std::uint64_t& id, Worker* worker);
  bool cancel(const PoolKey& key, std::uint64_t id);
  void release(const PoolTicket& ticket, IdleServer server);
  void discard(const PoolKey& key);
  void hand_off(Pool& pool, Handoff<IdleServer> handoff);
  Pool& pool_of(const PoolKey& key, std::size_t size);

  mutable std::mutex mutex_;
  std::map<PoolKey, Pool> pools_;
  std::uint64_t next_waiter_ = 1;
  bool shut_down_ = false;
};

class PoolTicket {
 public:
  PoolTicket() = default;
  PoolTicket(PoolTicket&& other) noexcept;
  PoolTicket& operator=(PoolTicket&& other) noexcept;
  ~PoolTicket();

  /// The idle connection granted; none: the caller opens one.
  [[nodiscard]] bool has_server() const { return server_.facts != nullptr; }
  [[nodiscard]] IdleServer take_server() { return std::move(server_); }
  [[nodiscard]] const PoolKey& key() const { return key_; }

  /// Gives a clean connection back for the next taker of the same identity.
  void release(IdleServer server);
  /// The connection is gone or not worth keeping.
  void discard();

 private:
  friend class Broker;
  PoolTicket(Broker* broker, Broker::Request request, IdleServer server);
  Broker* broker_ = nullptr;
  std::uint64_t generation_ = 0;
  PoolKey key_;
  std::string identity_;
  IdleServer server_;
};

}  // namespace postern::proxy
