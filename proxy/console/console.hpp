// The console: what it may do to the process, and one session's service.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "proxy/console/command.hpp"
#include "proxy/console/snapshot.hpp"
#include "proxy/net/asio.hpp"

namespace postern::proxy {
struct Runtime;
struct Session;
class Worker;
struct WorkerContext;
}  // namespace postern::proxy

namespace postern::proxy::console {

/// What commands do. `database` is as clients name it; empty: all. Any worker calls them; they must
/// not block. An empty function: the command is refused with kConsoleNotServed.
struct Actions {
  using OnDatabase = std::function<Status(const std::string& database)>;
  /// True: what is waited for has come about; false: the timeout came first.
  using Wait = std::function<Task<Result<bool>>(Worker* worker, std::string database,
                                                std::chrono::milliseconds timeout)>;
  OnDatabase pause;      ///< give out no more servers; kConsoleState where paused already
  OnDatabase resume;     ///< kConsoleState where not paused
  OnDatabase reconnect;  ///< replace every server once it is free
  OnDatabase kill;       ///< drop servers and their clients at once, then as pause
  OnDatabase disable;
  OnDatabase enable;
  Wait wait_paused;  ///< PAUSE answers then; empty: at once
  Wait wait_closed;  ///< WAIT_CLOSE answers then
  /// Reads the configuration anew; the lines say what changed, each sent as a NOTICE.
  std::function<Task<Result<std::vector<std::string>>>(Worker* worker)> reload;
  /// "", "WAIT_FOR_CLIENTS" or "WAIT_FOR_SERVERS"; returns at once.
  std::function<Status(const std::string& mode)> shutdown;
};

/// What SHOW tells beyond the sessions and the configuration. Any worker calls them. Empty: nothing
/// is known.
struct Sources {
  std::function<std::vector<PoolRow>()> pools;
  /// Every server connection; empty: those that sessions hold are listed.
  std::function<std::vector<SocketRow>()> servers;
  std::function<bool(const std::string& database)> is_paused;  ///< "": the whole process
  std::function<bool(const std::string& database)> is_disabled;
};

/// Everything a console session needs of the process. Immutable once the first worker runs;
/// outlives every session.
class Console {
 public:
  Console(Runtime* runtime, Actions actions, Sources sources)
      : runtime_(runtime), actions_(std::move(actions)), sources_(std::move(sources)) {}

  /// Before the first worker starts; contexts outlive the console.
  void add_worker(WorkerContext* context) { workers_.push_back(context); }

  [[nodiscard]] Runtime& runtime() const { return *runtime_; }
  [[nodiscard]] const Actions& actions() const { return actions_; }
  [[nodiscard]] const Sources& sources() const { return sources_; }
  [[nodiscard]] const std::vector<WorkerContext*>& workers() const { return workers_; }

 private:
  Runtime* runtime_;
  Actions actions_;
  Sources sources_;
  std::vector<WorkerContext*> workers_;
};

/// How often a command that waits looks whether its client is still there.
inline constexpr std::chrono::milliseconds kWaitSlice{500};

/// After authentication: may this login use the console? kConsoleRefused. Fills the session's
/// database-independent state and sends parameters, key and ReadyForQuery.
Task<Status> welcome(Session* session, std::uint16_t minor);

/// Serves the session until it ends. Errors as those of an ordinary session.
Task<Status> serve(Session* session);

}  // namespace postern::proxy::console
