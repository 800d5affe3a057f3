// Opening a server connection: connect, TLS, log in, learn what pooling and arming need.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/secret.hpp"
#include "protocol/client_login.hpp"
#include "protocol/error_message.hpp"
#include "proxy/net/endpoint.hpp"
#include "proxy/net/tls_context.hpp"
#include "proxy/net/transport.hpp"
#include "proxy/net/worker.hpp"
#include "proxy/pool/server.hpp"

namespace postern::proxy {

/// How to open a connection. Copied into the coroutine.
struct UpstreamTarget {
  Endpoint endpoint;
  std::optional<Endpoint> address;        ///< of the endpoint, where one is to be used and no other
  std::shared_ptr<const TlsContext> tls;  ///< null: TLS is not asked for
  TlsMode tls_mode = TlsMode::kDisable;
  std::string database;
  std::string user;
  std::shared_ptr<const Secret> password;
  std::shared_ptr<const protocol::LoginProof> proof;  ///< of the client; where there is no password
  protocol::WeakMethod md5 = protocol::WeakMethod::kNever;
  protocol::WeakMethod cleartext = protocol::WeakMethod::kNever;
  std::uint16_t minor = 0;                          ///< newest protocol minor asked for: 0 or 2
  bool learns = true;                               ///< asks the backend who it is; else no query
  std::vector<std::pair<Bytes, Bytes>> parameters;  ///< startup parameters
  std::chrono::milliseconds timeout{5'000};         ///< for connecting, and again for logging in
};

struct OpenedServer {
  Transport transport;
  std::unique_ptr<ServerFacts> facts;
};

/// Why a connection could not be opened. `server` holds the server's own words, where it refused.
struct UpstreamFailure {
  Error error;
  std::optional<protocol::OwnedErrorFields> server;
};

using OpenResult = std::variant<OpenedServer, UpstreamFailure>;

/// Runs on `worker`. Modes allow and prefer try the other way, too, where the server refuses the
/// first (28000: no such line in its pg_hba.conf). Errors: those of connect() and ServerLogin,
/// kUpstreamUnavailable where the server's answers do not fit.
Task<OpenResult> open_server(Worker* worker, UpstreamTarget target);

/// Where and how to cancel: exactly as the connection itself was opened, whatever a name resolves
/// to or a reload made of its node since.
UpstreamTarget cancel_target(const ServerFacts& facts);

/// Sends a CancelRequest for a backend and waits for the server to close, at most `timeout`.
Task<void> send_cancel(Worker* worker, UpstreamTarget target, std::uint32_t pid, Bytes key);

}  // namespace postern::proxy
