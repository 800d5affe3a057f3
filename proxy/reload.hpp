// Taking over another configuration while serving.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "config/difference.hpp"
#include "proxy/net/job_thread.hpp"
#include "proxy/net/worker.hpp"
#include "proxy/route/monitor.hpp"
#include "proxy/runtime/runtime.hpp"

namespace postern::proxy {

/// What a reload did. With errors it changed nothing.
struct ReloadReport {
  std::vector<Error> errors;      ///< of the configuration: `what` starts "file:line: "
  config::Difference difference;  ///< empty: nothing had changed

  [[nodiscard]] bool applied() const { return errors.empty(); }
  /// One line per error, or per key, cluster, database and user that changed; secrets only as
  /// changed. "nothing changed" where nothing did.
  [[nodiscard]] std::vector<std::string> lines() const;
};

/// Loads the configuration file anew and puts it in force: SIGHUP and the console's RELOAD.
///
/// Everything that can fail is done first (parsing, rules between keys, users, certificates,
/// policies), so that a mistake changes nothing. Keys that need a restart keep their values and are
/// reported. Runtime and workers must outlive it.
class Reloader {
 public:
  Reloader(Runtime* runtime, Worker* home, std::vector<WorkerContext*> contexts);
  Reloader(const Reloader&) = delete;
  Reloader& operator=(const Reloader&) = delete;
  ~Reloader() { stop(); }

  /// Starts the monitors of the clusters; once, before the first reload.
  void start();

  /// Any thread that may block: reads files and stretches passwords, one reload after the other.
  /// Also writes the report to the log. kReloadRefused while the process stops.
  ReloadReport reload();

  /// The same for a coroutine on `worker`: the work is done on a thread of its own.
  Task<std::shared_ptr<const ReloadReport>> reload_from(Worker* worker);

  /// No reload_from() is answered from now on; waits for the one under way.
  void stop();

 private:
  struct Candidate;

  ReloadReport attempt();
  Status prepare(Candidate& next, const std::set<std::string>& changed_clusters);
  void adopt(Candidate next, const config::Difference& difference);
  void watch(const config::Difference& difference, const std::vector<Cluster*>& fresh);

  Runtime* runtime_;
  Worker* home_;
  std::vector<WorkerContext*> contexts_;
  std::mutex mutex_;
  JobThread thread_;         ///< of reload_from()
  config::FileMarks marks_;  ///< of the files of the configuration in force
  std::vector<std::pair<Cluster*, std::unique_ptr<Monitor>>> monitors_;
  std::vector<std::unique_ptr<Monitor>> former_monitors_;
};

/// The context for clients as [listen.tls] asks for it; null where it is off. Errors: those of
/// TlsContext.
Result<std::shared_ptr<const ClientTls>> open_client_tls(const config::ListenTlsOptions& tls);

}  // namespace postern::proxy
