// A logged-in connection to PostgreSQL, as pools keep it.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>

#include "base/bytes.hpp"
#include "proxy/net/endpoint.hpp"
#include "proxy/net/idle_transport.hpp"
#include "proxy/net/tls_context.hpp"
#include "proxy/pool/session_settings.hpp"

namespace postern::proxy {

/// A statement the server session has prepared.
struct KnownStatement {
  std::uint64_t id = 0;    ///< what the name stands for (PreparedStatement::id)
  std::uint64_t used = 0;  ///< grows with use: the smallest goes first where there are too many
  bool outdated = false;   ///< the schema changed since: its plan may be refused (0A000)
};

/// The tenant context of a server session.
struct TenantContext {
  bool armed = false;  ///< set and confirmed
  /// Life of the context set last, microseconds since 1970; 0: none was set.
  std::int64_t issued = 0;
  std::int64_t expiry = 0;
  Bytes expected;      ///< what the server must repeat when the context is set
  std::string tenant;  ///< it was made for; empty: none
  std::string scope;   ///< and for whom in all (Identity::context_scope)
};

/// What is known of a server session from its login on. What stands below `search_path` changes and
/// stays with the connection when it is pooled.
struct ServerFacts {
  Endpoint endpoint;
  Endpoint address;  ///< the one of the endpoint's addresses that it is connected to
  std::shared_ptr<const TlsContext> tls;  ///< as it was connected, for cancels; null: without
  TlsMode tls_mode = TlsMode::kDisable;
  std::chrono::milliseconds timeout{0};  ///< for connecting
  std::uint32_t backend_pid = 0;
  Bytes cancel_key;                ///< secret part of BackendKeyData; empty: cannot be cancelled
  std::int64_t backend_start = 0;  ///< microseconds since 1970, as pg_stat_activity has it
  std::uint32_t database_oid = 0;
  bool standby = false;           ///< in_hot_standby at login
  std::string bypass;             ///< "superuser" or "bypassrls" where the role is that
  std::string search_path;        ///< current_setting('search_path') after login
  ReportedParameters parameters;  ///< latest ParameterStatus values
  Settings applied;               ///< set since login, under transaction pooling
  std::unordered_map<std::string, KnownStatement> prepared;  ///< by name on the server
  std::uint64_t statements_used = 0;                         ///< source of KnownStatement::used
  std::uint64_t schema_seen = 0;  ///< Database::schema_changes() when `outdated` was last marked
  TenantContext context;
};

/// An idle server connection. Closing is destruction.
struct IdleServer {
  IdleTransport transport;
  std::unique_ptr<ServerFacts> facts;
};

}  // namespace postern::proxy
