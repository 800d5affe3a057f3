// The running process: workers, listeners, everything sessions share, start and stop.
#pragma once

#include <memory>

#include "base/result.hpp"
#include "config/options.hpp"

namespace postern::proxy {

struct AcceptorOptions;

/// `postern serve`. One per process; call the members from the main thread.
class Server {
 public:
  /// Opens keys, access log and listeners, in this order, so that a fault stops the start before a
  /// client could connect. The errors are those of the parts.
  static Result<std::unique_ptr<Server>> open(std::shared_ptr<const config::Config> config);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server();

  /// Serves until SIGTERM or SIGINT; then no connection is accepted any more, idle sessions end
  /// with 57P01, busy ones get limits.shutdown_timeout (a second signal ends them at once), and the
  /// access log is closed cleanly. kAuditUnavailable and others where that failed.
  Status run();

 private:
  struct State;
  static Status open_listeners(State& state);
  static Status add_acceptor(State& state, AcceptorOptions options);
  explicit Server(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace postern::proxy
