// The pools of the process: server connections move between workers through here.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.hpp"
#include "proxy/net/event.hpp"
#include "proxy/net/worker.hpp"
#include "proxy/pool/pool_set.hpp"
#include "proxy/pool/pool_ticket.hpp"
#include "proxy/pool/records.hpp"
#include "proxy/pool/server.hpp"

namespace postern::proxy {

/// How long to wait, and whom to tell.
struct WaitLimits {
  std::chrono::milliseconds timeout{0};
  std::chrono::milliseconds notify_after{0};  ///< 0 = never
  /// Called at most once, on the waiter's worker, while it waits; returns quickly.
  void (*on_wait)(void* owner) = nullptr;
  /// Asked every kLookInterval, likewise: true ends the wait with kTransportClosed.
  bool (*is_gone)(void* owner) = nullptr;
  static constexpr std::chrono::milliseconds kLookInterval{100};
  void* owner = nullptr;  ///< outlives the wait
};

/// All pools. Thread-safe; coroutines resume on the worker they were called on. One lock, held for
/// no longer than the rules of pool_set.hpp take: no socket is opened, closed or read under it.
class Broker {
 public:
  /// `on_closed` is told how many idle connections the broker closed by itself; any thread.
  explicit Broker(std::function<void(std::size_t)> on_closed = {});
  Broker(const Broker&) = delete;
  Broker& operator=(const Broker&) = delete;
  ~Broker();

  struct Request : PoolSettings, WaitLimits {
    PoolKey key;
    std::string identity;     ///< as Taker::identity
    std::string application;  ///< as Taker::application
    std::uint64_t session = 0;
  };

  /// Looks the pool up, once per session and node, and gives it the settings of the request: the
  /// latest hold. `worker` is where it will take connections.
  PoolHandle handle(const Worker* worker, const Request& request);

  /// A slot, with an idle connection where there was one, else for the caller to open. Dead idle
  /// connections are dropped on the way. Errors: kPoolTimeout, kShuttingDown, kUpstreamUnavailable
  /// at once while the server cannot be logged in to, kConnectionsKilled.
  Task<Result<PoolTicket>> acquire(Worker* worker, Request request);
  /// The same without the look-up. The handle outlives the call.
  Task<Result<PoolTicket>> acquire(Worker* worker, const PoolHandle* handle, WaitLimits limits);
  /// The same for who does not wait: an empty ticket where nothing is idle for this taker.
  PoolTicket take_idle(const Worker* worker, const PoolHandle& handle);

  // ---- Operations. `database` as clients name it; empty means all, later ones included.

  /// Idle connections close, those in use when they are given back; who asks for one waits, its
  /// timeout running. Idempotent.
  void pause(std::string_view database);
  void resume(std::string_view database);
  /// As pause, and waiters fail with kConnectionsKilled. Sessions that hold a connection are ended
  /// by ClientRegistry::end.
  void kill(std::string_view database);
  /// Connections opened so far close: idle ones now, others when they are given back.
  void reconnect(std::string_view database);
  /// The same for the pools of these keys.
  void reconnect(const std::function<bool(const PoolKey&)>& affected);
  /// Settles when every connection of the database was given back and closed (pause).
  Task<Result<bool>> wait_paused(Worker* worker, std::string database,
                                 std::chrono::milliseconds timeout);
  /// Settles when no connection from before the latest reconnect is left. Both: false where the
  /// timeout came first; kShuttingDown.
  Task<Result<bool>> wait_close(Worker* worker, std::string database,
                                std::chrono::milliseconds timeout);
  [[nodiscard]] bool is_paused(std::string_view database) const;

  /// New settings for every pool, after a reload: those for the client's login whose settings hold
  /// now (PoolSettings::login), which is not the login on the server.
  void retune(
      const std::function<PoolSettings(const PoolKey&, const std::string& login)>& settings_of);

  // ---- Care, from one background coroutine

  /// Lifetimes, idle connections, reserves and attempts at failing servers. Called every
  /// kTendInterval; closing happens on the calling thread. The number closed.
  std::size_t tend(SteadyTime now);
  static constexpr std::chrono::milliseconds kTendInterval{200};

  /// Slots for connections that pools below min_pool_size lack, at most one a pool: the owner opens
  /// each as `ticket.taker()` and release()s it, or fail()s or discards it.
  std::vector<PoolTicket> wanted(SteadyTime now);

  /// No further acquire succeeds; waiters fail with kShuttingDown; idle connections close.
  void shut_down();

  [[nodiscard]] std::vector<PoolStats> stats() const;
  [[nodiscard]] std::vector<ServerInfo> servers() const;
  [[nodiscard]] std::vector<CapStats> database_caps() const;
  [[nodiscard]] std::vector<CapStats> user_caps() const;

 private:
  friend class PoolTicket;
  friend class PoolHandle;
  struct Pool;
  struct Waiter;
  struct WaiterGuard;
  struct Watcher;
  struct Parked {
    IdleServer server;
    ServerRecord* record = nullptr;
    /// Left with the taker's worker: taken first.
    friend bool is_near(const Parked& parked, const TakerRef& taker) {
      return parked.server.transport.home() == taker.get()->worker;
    }
  };
  using Set = PoolSet<Parked, TakerRef>;
  using State = Set::Pool;
  using SharedCap = State::SharedCap;
  struct Begun;

  Pool& pool_of(const Request& request);
  SharedCap& cap_of(std::map<std::string, SharedCap>& caps, const std::string& name);
  static Pool& owner_of(State& state);

  Begun begin(Worker* worker, const PoolHandle& handle);
  Task<Result<PoolTicket>> wait(Worker* worker, std::shared_ptr<Waiter> waiter, WaitLimits limits);
  Result<PoolTicket> conclude(Waiter& waiter);
  bool cancel(Waiter& waiter);
  void abandon(Waiter& waiter);
  static Error failure_of(const Pool& pool, SteadyTime now);
  PoolTicket ticket_for(Pool& pool, std::shared_ptr<const Taker> taker, Set::Grant grant);
  void check_alive(const Worker* worker, PoolTicket& ticket);

  // On behalf of PoolTicket.
  void opened(PoolTicket& ticket, const ServerFacts& facts, bool tls);
  void failed(PoolTicket& ticket, Error error);
  void release(PoolTicket& ticket, IdleServer server);
  void discard(PoolTicket& ticket);
  void lost(PoolTicket& ticket);

  // Under the lock.
  ServerRecord* enrol(Pool& pool, const PoolTicket& ticket, const ServerFacts* facts, bool tls);
  void strike(ServerRecord* record);
  void carry_out(Set::Moves& moves);
  static void wake(const std::shared_ptr<Waiter>& waiter);
  void fail_waiters(Pool& pool, const Error& error);
  void check_watchers();
  [[nodiscard]] bool settled(const Watcher& watcher) const;
  void set_paused(std::string_view database, bool paused);
  static PoolStats stats_of(const Pool& pool, SteadyTime now);
  [[nodiscard]] bool paused_now(std::string_view database) const;
  template <typename Visit>
  void each_pool(std::string_view database, Visit visit);

  // Outside of it.
  [[nodiscard]] std::vector<CapStats> caps(const std::map<std::string, SharedCap>& of) const;
  std::size_t closed(const Set::Moves& moves);
  Task<Result<bool>> watch(Worker* worker, std::shared_ptr<Watcher> watcher,
                           std::chrono::milliseconds timeout);

  const std::function<void(std::size_t)> on_closed_;
  mutable std::mutex mutex_;
  Set set_;
  std::map<std::string, SharedCap> database_caps_;
  std::map<std::string, SharedCap> user_caps_;
  std::map<PoolKey, std::unique_ptr<Pool>> pools_;
  std::map<std::string, bool, std::less<>> paused_;  ///< by database, where it differs from all
  bool all_paused_ = false;
  std::unordered_map<std::uint64_t, std::shared_ptr<Waiter>> waiters_;
  std::vector<std::shared_ptr<Watcher>> watchers_;
  std::uint64_t next_waiter_ = 1;
  std::uint64_t next_server_ = 1;
  bool shut_down_ = false;
};

}  // namespace postern::proxy
