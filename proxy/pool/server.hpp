// A logged-in connection to PostgreSQL, as pools keep it.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "base/bytes.hpp"
#include "proxy/net/endpoint.hpp"
#include "proxy/net/tls_context.hpp"
#include "proxy/net/transport.hpp"

namespace postern::proxy {

/// What is known of a server connection from its login on. Immutable except for `parameters`.
struct ServerFacts {
  Endpoint endpoint;
  std::shared_ptr<const TlsContext> tls;  ///< as it was connected, for cancels; null: without
  TlsMode tls_mode = TlsMode::kDisable;
  std::chrono::milliseconds timeout{0};  ///< for connecting
  std::uint32_t backend_pid = 0;
  Bytes cancel_key;                ///< secret part of BackendKeyData; empty: cannot be cancelled
  std::int64_t backend_start = 0;  ///< microseconds since 1970, as pg_stat_activity has it
  std::uint32_t database_oid = 0;
  bool standby = false;     ///< in_hot_standby at login
  std::string search_path;  ///< current_setting('search_path') after login
  std::map<std::string, std::string, std::less<>> parameters;  ///< latest ParameterStatus values
};

/// An idle server connection, bound to no worker. Closing is destruction.
struct IdleServer {
  UnboundTransport transport;
  std::unique_ptr<ServerFacts> facts;
};

}  // namespace postern::proxy
