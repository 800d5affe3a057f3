// Options of sockets, clusters and databases. Defaults here are the defaults of the file
// and of docs/config.md; ranges and meanings stand beside the keys in config/keys_net.cpp.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/secret.hpp"

namespace postern::config {

using Millis = std::chrono::milliseconds;

/// A size in bytes, written in the file as an integer or as "16MB" (KB, MB, GB are powers of 1024).
struct ByteSize {
  std::uint64_t bytes = 0;
  friend bool operator==(ByteSize, ByteSize) = default;
};

inline constexpr ByteSize kibibytes(std::uint64_t n) {
  return {n << 10};
}
inline constexpr ByteSize mebibytes(std::uint64_t n) {
  return {n << 20};
}

/// A file the section names; absolute after loading. Empty = not given.
struct FilePath {
  std::string path;
  [[nodiscard]] bool empty() const { return path.empty(); }
  friend bool operator==(const FilePath&, const FilePath&) = default;
};

/// host:port as written in `nodes`; an IPv6 address stands in brackets in the file, bare here. A
/// host that begins with "/" or "@" is the folder, or abstract name, of a unix socket.
struct HostPort {
  std::string host;
  std::uint16_t port = 0;
  [[nodiscard]] bool empty() const { return host.empty(); }
  [[nodiscard]] bool is_unix() const { return host.starts_with('/') || host.starts_with('@'); }
  friend bool operator==(const HostPort&, const HostPort&) = default;
};

enum class ClientTlsMode : std::uint8_t { kDisable, kAllow, kRequire };
enum class UpstreamTlsMode : std::uint8_t {
  kDisable,
  kAllow,
  kPrefer,
  kRequire,
  kVerifyCa,
  kVerifyFull,
};
enum class PoolMode : std::uint8_t { kSession, kTransaction, kStatement };
/// Where reads of a database go. kDefault asks one level up: database -> [routing] -> primary.
enum class RouteDefault : std::uint8_t { kDefault, kPrimary, kReplica, kAuto };
/// Whether a server may be answered with a password in clear, or its md5 digest.
enum class WeakAuth : std::uint8_t { kNever, kTls, kAlways };
/// Newest protocol version asked of servers.
enum class ServerProtocol : std::uint8_t { k30, k32 };
/// kRequire: clients without certificate are refused; kRequest: rules decide.
enum class ClientCertMode : std::uint8_t { kRequire, kRequest };
/// What a login may do in a protected database (docs/ARCHITECTURE.md). kDefault asks one level up:
/// user -> database -> `app` where the database is protected, else `transparent`.
enum class Profile : std::uint8_t {
  kDefault,
  kApp,
  kAnalyst,
  kMigrator,
  kBackup,
  kAdmin,
  kTransparent,
};

/// [listen.tls]. kAllow: the client chooses; kRequire: a client without TLS is refused.
struct ListenTlsOptions {
  ClientTlsMode mode = ClientTlsMode::kDisable;
  FilePath cert_file;
  FilePath key_file;
  FilePath client_ca_file;  ///< given: client certificates are asked for and verified against it
  ClientCertMode client_cert = ClientCertMode::kRequire;
};

/// [listen]
struct ListenOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 6432;    ///< 0 = any free port
  bool so_reuseport = false;    ///< SO_REUSEPORT: a successor may listen beside this process
  std::string unix_socket_dir;  ///< empty: no unix socket; "@NAME": an abstract one
  std::string unix_socket_mode = "0777";
  std::vector<std::string> proxy_protocol_from;  ///< networks that announce clients' addresses
  std::uint32_t workers = 0;                     ///< 0 = one per processor
  ListenTlsOptions tls;                          ///< mode kDisable where the section is absent
};

/// [cluster.NAME.tls]
struct UpstreamTlsOptions {
  UpstreamTlsMode mode = UpstreamTlsMode::kDisable;
  FilePath ca_file;
  FilePath cert_file;  ///< Postern's own certificate, with key_file
  FilePath key_file;
};

/// [cluster.NAME]: the servers that hold the same data. Roles are detected, not configured.
struct ClusterOptions {
  std::vector<HostPort> nodes;
  Millis connect_timeout{5'000};
  Millis unacknowledged_timeout{30'000};  ///< what was sent, by the server's host
  WeakAuth allow_md5 = WeakAuth::kNever;
  WeakAuth allow_cleartext = WeakAuth::kNever;
  ServerProtocol protocol = ServerProtocol::k30;
  UpstreamTlsOptions tls;  ///< mode kDisable where the section is absent
};

/// [database.NAME] or [database."*"]. Move-only because of the password.
struct DatabaseOptions {
  std::string cluster;
  std::string upstream;  ///< database name on the server; empty = the name the client asked for
  RouteDefault route = RouteDefault::kDefault;
  std::string user;  ///< login used upstream; empty = the client's own
  Secret password;   ///< of `user`; from `password` or `password_file`
  PoolMode pool_mode = PoolMode::kSession;
  std::uint32_t pool_size = 20;
  std::uint32_t max_prepared_statements = 200;  ///< per server connection; transaction pooling
  std::uint32_t min_pool_size = 0;
  std::uint32_t reserve_pool_size = 0;
  std::uint32_t max_db_connections = 0;         ///< 0 = as [limits]
  std::uint32_t max_db_client_connections = 0;  ///< 0 = as [limits]
  Profile profile = Profile::kDefault;          ///< of logins that name none
  std::vector<std::string> identity_sources;    ///< empty = as [identity]
};

/// [service]: the login Postern itself uses for catalogs and position probes.
struct ServiceOptions {
  std::string user;
  Secret password;
};

/// [limits]. Each is the largest value still served.
struct LimitsOptions {
  std::uint32_t max_clients = 10'000;               ///< that are logged in
  std::uint32_t max_logins = 10'000;                ///< connections that are not yet
  std::uint32_t client_statements = 10'000;         ///< prepared by one client under names
  ByteSize client_statement_bytes = mebibytes(64);  ///< text of those statements in all
  ByteSize message_bytes = mebibytes(64);          ///< one client message that has to be held whole
  ByteSize query_bytes = mebibytes(1);             ///< longest statement text analysed
  ByteSize encrypted_value_bytes = mebibytes(16);  ///< plaintext of one protected value
  Millis login_timeout{15'000};                    ///< connect to proof of identity
  Millis pool_timeout{30'000};                     ///< longest wait for a server connection
  Millis query_timeout{0};                         ///< a request unanswered; 0 = never
  Millis transaction_timeout{0};                   ///< a transaction open; 0 = never
  Millis idle_transaction_timeout{0};      ///< client silent inside a transaction; 0 = never
  Millis idle_timeout{0};                  ///< client silent outside a transaction; 0 = never
  Millis server_idle_timeout{600'000};     ///< pooled server connection unused; 0 = never
  Millis server_lifetime{3'600'000};       ///< pooled server connection's age, ±20 %; 0 = any
  Millis server_login_retry{1'000};        ///< longest pause between logins to a failing server
  Millis reserve_pool_timeout{5'000};      ///< wait after which the reserve may be used
  Millis query_wait_notify{5'000};         ///< wait after which the client is told; 0 = never
  std::uint32_t max_db_connections = 0;    ///< server connections of a database; 0 = any
  std::uint32_t max_user_connections = 0;  ///< of a login on the server; 0 = any
  std::uint32_t max_db_client_connections = 0;    ///< clients of a database; 0 = any
  std::uint32_t max_user_client_connections = 0;  ///< clients of a login; 0 = any
  Millis shutdown_timeout{30'000};                ///< graceful stop: time for sessions to end
  std::uint32_t parser_threads = 2;               ///< on which texts never seen before are parsed
  std::uint32_t parser_queue = 1'024;             ///< texts that may wait for them
  ByteSize analysis_cache = mebibytes(32);        ///< of one worker thread
};

}  // namespace postern::config
