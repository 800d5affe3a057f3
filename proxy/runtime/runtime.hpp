// What all sessions of the process share, and what those of one worker share.
#pragma once

#include <atomic>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "audit/writer.hpp"
#include "config/options.hpp"
#include "proxy/auth/services.hpp"
#include "proxy/cache/log_limit.hpp"
#include "proxy/cache/result_cache.hpp"
#include "proxy/keeper/keeper.hpp"
#include "proxy/net/client_tls.hpp"
#include "proxy/net/worker.hpp"
#include "proxy/pool/broker.hpp"
#include "proxy/pool/clients.hpp"
#include "proxy/runtime/audit_gate.hpp"
#include "proxy/runtime/configuration.hpp"
#include "proxy/runtime/database.hpp"
#include "proxy/runtime/deciding.hpp"
#include "proxy/runtime/key_service.hpp"
#include "proxy/session/cancel_registry.hpp"
#include "proxy/session/link_memory.hpp"
#include "proxy/session/statistics.hpp"
#include "proxy/session/user_directory.hpp"
#include "proxy/sinks/metrics.hpp"

namespace postern::proxy {

class Peers;
class Reloader;
struct Session;
namespace console {
class Console;
}

/// The process. Built by Server before the first worker starts; members are thread-safe or
/// immutable from then on. What a reload changes: config, users, databases and client_tls.
struct Runtime {
  Configuration config;
  Metrics metrics;
  Broker broker{[this](std::size_t closed) { metrics.servers_closed.add(closed); }};
  ClientRegistry registry;  ///< of logged-in clients
  CancelRegistry cancels;
  std::unique_ptr<Peers> peers;  ///< null without [peers]
  /// Wrong cancel keys by address: ten guesses a second are nothing against the least key's 32 bits
  /// and its process id, and more than a client's requests that come too late.
  FailureLimit wrong_cancels{{100, std::chrono::milliseconds(100)}};
  LogLimit wrong_cancels_log{std::chrono::milliseconds(1'000)};
  std::atomic<std::int64_t> admitted{0};                 ///< clients whose login succeeded
  LogLimit crowd_log{std::chrono::milliseconds(1'000)};  ///< of clients that were too many
  UserDirectory users;
  std::unique_ptr<AuthServices> auth;
  DatabaseDirectory databases;
  /// Null: TLS is not offered.
  std::atomic<std::shared_ptr<const ClientTls>> client_tls;
  Bytes mock_key;        ///< for logins of unknown users
  Secret statement_key;  ///< for names of shared prepared statements
  std::unique_ptr<sql::ParserPool> parsers;
  std::unique_ptr<Keeper> keeper;
  std::unique_ptr<KeyService> keys;         ///< null without [keys]
  std::shared_ptr<const Secret> guard_key;  ///< signs tenant contexts; null without [tenant]
  std::unique_ptr<ResultCache> cache;       ///< null without [cache]
  std::string instance;                     ///< random; answers of other processes are never taken
  std::unique_ptr<audit::Log> audit;        ///< null without [audit]
  Reloader* reloader = nullptr;             ///< the server's; null before it serves
  Statistics statistics;
  const console::Console* console = nullptr;  ///< set before the first worker starts; null: none
  std::atomic<bool> stopping{false};
  std::atomic<std::uint64_t> next_session{1};
  std::atomic<std::uint64_t> next_own_statement{1};  ///< id of the next that no client shares
};

/// One worker's share; its thread only.
struct WorkerContext {
  WorkerContext(Runtime* r, Worker* w)
      : runtime(r),
        worker(w),
        decider(r->config->limits.analysis_cache.bytes),
        book(r->statistics.add_book()) {}

  Runtime* runtime;
  Worker* worker;
  Decider decider;        ///< analysis and decision caches
  ColumnCiphers ciphers;  ///< of the protected columns
  AuditWaiters audit_waiters;
  LinkMemoryPool link_memories;
  StatisticsBook* book;
  std::set<Session*> sessions;
};

}  // namespace postern::proxy
