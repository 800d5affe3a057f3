// Accepts connections in one place and spreads them over the workers.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/result.hpp"
#include "proxy/net/endpoint.hpp"
#include "proxy/net/fd.hpp"
#include "proxy/net/transport.hpp"
#include "proxy/net/worker.hpp"

namespace postern::proxy {

struct AcceptorOptions {
  Endpoint listen;  ///< every address the host resolves to; "*": all IPv4 and IPv6 addresses
  std::vector<UniqueFd> sockets;  ///< instead of `listen`: sockets that listen already
  int backlog = 1024;
  bool reuse_port = false;  ///< other processes may listen on the same port (SO_REUSEPORT)
  /// Runs on the chosen worker's thread with a fresh connection; keep the ticket as long as the
  /// session lives.
  std::function<void(Worker&, UnboundTransport, LoadTicket)> on_connection;
  /// Runs on the home worker's thread when accepting has to pause (kAcceptPaused): once, until a
  /// connection could be accepted again.
  std::function<void(const Error&)> on_trouble;
};

/// Listens on one endpoint with one socket an address, also under SO_REUSEPORT (a socket a worker
/// would spread few long connections unevenly). Descriptor or memory exhaustion pauses accepting
/// for kPause and goes on.
class Acceptor {
 public:
  static constexpr std::chrono::milliseconds kPause{200};
  static constexpr std::chrono::milliseconds kHandshakes{200};
  /// Connections taken per wake-up before other work of the home worker gets its turn.
  static constexpr int kBurst = 64;

  /// Binds and listens now, so that errors surface at start-up (kListenFailed, kResolveFailed);
  /// accepts in `home`'s event loop and hands each connection to the least-loaded of `group`.
  /// Both must outlive the Acceptor; `home` may be a worker of `group`. A unix socket file left by
  /// a dead process is replaced, one in use is not; its permissions follow the umask.
  static Result<Acceptor> open(Worker& home, WorkerGroup& group, AcceptorOptions options);

  Acceptor(Acceptor&&) noexcept;
  Acceptor& operator=(Acceptor&&) noexcept;
  /// Stops as stop() does.
  ~Acceptor();

  /// Stops accepting and closes the listening sockets soon after. Any thread; idempotent.
  void stop();
  /// As stop(), but refuses nobody: what the system has accepted already is taken first. With
  /// reuse_port new connections are steered to the process that listens beside this one, and those
  /// whose handshake had begun get kHandshakes to end it. Any thread.
  void drain();
  /// True once stop() or drain() has closed the sockets: every connection taken was handed over.
  [[nodiscard]] bool stopped() const;
  /// The TCP port bound (useful with port 0); 0 for unix sockets.
  [[nodiscard]] std::uint16_t port() const;

 private:
  struct State;
  explicit Acceptor(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace postern::proxy
