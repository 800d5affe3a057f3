// Rows of sockets, clusters, databases and limits.
#include "config/key.hpp"

namespace postern::config {
namespace {

using enum Reload;
using enum Need;

constexpr std::string_view kClientTls[] = {"disable", "allow", "require"};
constexpr std::string_view kUpstreamTls[] = {"disable", "allow",     "prefer",
                                             "require", "verify-ca", "verify-full"};
constexpr std::string_view kPoolModes[] = {"session", "transaction", "statement"};
constexpr std::string_view kRoutes[] = {"default", "primary", "replica", "auto"};
constexpr std::string_view kClientCerts[] = {"require", "request"};
constexpr std::string_view kWeakAuth[] = {"never", "tls", "always"};
constexpr std::string_view kServerProtocols[] = {"3.0", "3.2"};
constexpr std::string_view kProfiles[] = {"default", "app",   "analyst",    "migrator",
                                          "backup",  "admin", "transparent"};

constexpr std::uint64_t kKiB = 1u << 10;
constexpr std::uint64_t kMiB = 1u << 20;
constexpr Millis kDay{86'400'000};
constexpr std::int64_t kMaxConnections = 1'000'000;

}  // namespace

std::span<const std::string_view> profile_names() {
  return kProfiles;
}

KeyRows keys_of(ListenOptions& o) {
  return {
      {"address", TextKey{&o.address}, kNo, "address to listen on; \"*\" for every address"},
      {"port", NumberKey{&o.port, 0, 65'535}, kNo, "TCP port; 0 takes any free one"},
      {"so_reuseport", FlagKey{&o.so_reuseport}, kNo,
       "several processes may listen on one port: for restarts that refuse nobody"},
      {"unix_socket_dir", TextKey{&o.unix_socket_dir, 90}, kNo,
       "folder for a unix socket .s.PGSQL.PORT; \"@NAME\" for one without a file; empty is none"},
      {"unix_socket_mode", TextKey{&o.unix_socket_mode, 4}, kNo,
       "permissions of the socket file, octal"},
      {"proxy_protocol_from", TextsKey{&o.proxy_protocol_from}, kYes,
       "networks, as \"10.0.0.0/8\", of balancers whose connections begin with a PROXY header"},
      {"workers", NumberKey{&o.workers, 0, 256}, kNo, "worker threads; 0 is one per processor"},
      {"tls", section(o.tls), kYes, "TLS towards clients"},
  };
}

KeyRows keys_of(ListenTlsOptions& o) {
  return {
      {"mode", choice(o.mode, kClientTls), kYes,
       "`allow` leaves it to the client, `require` refuses clients without TLS"},
      {"cert_file", PathKey{&o.cert_file}, kYes, "certificate chain, PEM"},
      {"key_file", PathKey{&o.key_file}, kYes, "private key, PEM"},
      {"client_ca_file", PathKey{&o.client_ca_file}, kYes,
       "authority of the clients' certificates, PEM; empty: none is asked for"},
      {"client_cert", choice(o.client_cert, kClientCerts), kYes,
       "`require` refuses clients without certificate, `request` leaves it to [[auth.rule]]"},
  };
}

KeyRows keys_of(ClusterOptions& o) {
  return {
      {"nodes", HostPortsKey{&o.nodes}, kYes,
       "servers that hold the same data, as \"host:port\" or \"/socket/folder:port\"; which is the "
       "primary is watched with [service]; without it nodes are logged in to in turn until one is "
       "no standby, the one last found so first",
       kRequired},
      {"connect_timeout", DurationKey{&o.connect_timeout, Millis(1), Millis(600'000)}, kYes,
       "longest wait for a connection, its TLS and its login"},
      {"unacknowledged_timeout",
       DurationKey{&o.unacknowledged_timeout, Millis(2'000), Millis(3'600'000)}, kYes,
       "time without any answer of a server's host to what was sent to it after which the "
       "connection is closed; a server that is busy does not count, its host answers"},
      {"allow_md5", choice(o.allow_md5, kWeakAuth), kYes,
       "whether a server that asks for md5 is answered; `tls`: only where the connection is "
       "encrypted"},
      {"allow_cleartext", choice(o.allow_cleartext, kWeakAuth), kYes,
       "whether a server that asks for the password in clear is answered"},
      {"protocol", choice(o.protocol, kServerProtocols), kYes,
       "newest protocol version asked of the servers; \"3.2\" has longer cancel keys"},
      {"tls", section(o.tls), kYes, "TLS towards the servers"},
  };
}

KeyRows keys_of(UpstreamTlsOptions& o) {
  return {
      {"mode", choice(o.mode, kUpstreamTls), kYes, "as libpq's sslmode"},
      {"ca_file", PathKey{&o.ca_file}, kYes, "authority of the servers' certificates, PEM"},
      {"cert_file", PathKey{&o.cert_file}, kYes, "certificate shown to the servers, PEM"},
      {"key_file", PathKey{&o.key_file}, kYes, "its private key, PEM"},
  };
}

KeyRows keys_of(DatabaseOptions& o) {
  return {
      {"cluster", TextKey{&o.cluster}, kYes, "name of a [cluster.NAME]", kRequired},
      {"upstream", TextKey{&o.upstream, 63}, kYes,
       "database name on the server; empty is the name the client asked for"},
      {"route", choice(o.route, kRoutes), kYes,
       "where reads go; `default` is what [routing] says, and the primary without it"},
      {"user", TextKey{&o.user, 63}, kYes, "login used on the server; empty is the client's own"},
      {"password", SecretKey{&o.password}, kYes, "password of `user`"},
      {"password_file", SecretFileKey{&o.password}, kYes, "file with the password of `user`"},
      {"pool_mode", choice(o.pool_mode, kPoolModes), kYes,
       "for how long a client keeps its server connection"},
      {"pool_size", NumberKey{&o.pool_size, 1, 10'000}, kYes,
       "server connections per pool (node, database, login on the server)"},
      {"max_prepared_statements", NumberKey{&o.max_prepared_statements, 1, 100'000}, kYes,
       "prepared statements kept on a server connection under transaction pooling"},
      {"min_pool_size", NumberKey{&o.min_pool_size, 0, 10'000}, kYes,
       "server connections kept open per pool, once it was used"},
      {"reserve_pool_size", NumberKey{&o.reserve_pool_size, 0, 10'000}, kYes,
       "further ones per pool for clients that waited `reserve_pool_timeout`"},
      {"max_db_connections", NumberKey{&o.max_db_connections, 0, kMaxConnections}, kYes,
       "server connections of this database over all pools; 0 is what [limits] says"},
      {"max_db_client_connections", NumberKey{&o.max_db_client_connections, 0, kMaxConnections},
       kYes, "clients of this database; 0 is what [limits] says"},
      {"profile", choice(o.profile, kProfiles), kYes, "profile of logins that name none"},
      {"identity_sources", TextsKey{&o.identity_sources}, kYes,
       "where tenants of its sessions come from; empty is what [identity] says"},
  };
}

KeyRows keys_of(ServiceOptions& o) {
  return {
      {"user", TextKey{&o.user, 63}, kYes,
       "login Postern itself uses to load catalogs and probe positions", kRequired},
      {"password", SecretKey{&o.password}, kYes, "its password"},
      {"password_file", SecretFileKey{&o.password}, kYes, "file with its password"},
  };
}

KeyRows keys_of(LimitsOptions& o) {
  constexpr std::uint64_t kGiB = 1u << 30;
  return {
      {"max_clients", NumberKey{&o.max_clients, 1, 1'000'000}, kYes, "clients that are logged in"},
      {"max_logins", NumberKey{&o.max_logins, 1, 1'000'000}, kYes,
       "connections that have not logged in yet; further ones are told so once they say who they "
       "are, and are closed at once above twice the number; cancel requests up to there are "
       "served"},
      {"client_statements", NumberKey{&o.client_statements, 1, 1'000'000}, kYes,
       "prepared statements of one client, by protocol message and under names"},
      {"client_statement_bytes", SizeKey{&o.client_statement_bytes, 64 * kKiB, kGiB - 1}, kYes,
       "text of these statements in all; a single one may be longer"},
      {"message_bytes", SizeKey{&o.message_bytes, 64 * kKiB, kGiB - 1}, kYes,
       "one client message that has to be held whole"},
      {"query_bytes", SizeKey{&o.query_bytes, kKiB, 64 * kMiB}, kYes,
       "longest statement text that is analysed; longer text is refused on a protected database "
       "and passed on unread elsewhere"},
      {"encrypted_value_bytes", SizeKey{&o.encrypted_value_bytes, kKiB, 256 * kMiB}, kYes,
       "plaintext of one protected value"},
      {"login_timeout", DurationKey{&o.login_timeout, Millis(100), Millis(600'000)}, kYes,
       "until a client has proved who it is; its first ReadyForQuery may take pool_timeout longer"},
      {"pool_timeout", DurationKey{&o.pool_timeout, Millis(1), kDay}, kYes,
       "longest wait for a server connection"},
      {"idle_timeout", DurationKey{&o.idle_timeout, Millis(0), 30 * kDay}, kYes,
       "client silent outside a transaction; 0 is never"},
      {"query_timeout", DurationKey{&o.query_timeout, Millis(0), 30 * kDay}, kYes,
       "a request not answered completely; the statement is cancelled and the session ends; 0 is "
       "never"},
      {"transaction_timeout", DurationKey{&o.transaction_timeout, Millis(0), 30 * kDay}, kYes,
       "a transaction from its first statement to its end; the session ends; 0 is never"},
      {"idle_transaction_timeout", DurationKey{&o.idle_transaction_timeout, Millis(0), 30 * kDay},
       kYes, "client silent inside a transaction; the session ends; 0 is never"},
      {"server_idle_timeout", DurationKey{&o.server_idle_timeout, Millis(0), 30 * kDay}, kYes,
       "pooled server connection without use; 0 is never"},
      {"server_lifetime", DurationKey{&o.server_lifetime, Millis(0), 30 * kDay}, kYes,
       "age, give or take 20 %, at which a pooled server connection is replaced; 0 is never"},
      {"server_login_retry", DurationKey{&o.server_login_retry, Millis(100), Millis(60'000)}, kYes,
       "longest pause between attempts at a server that cannot be logged in to"},
      {"reserve_pool_timeout", DurationKey{&o.reserve_pool_timeout, Millis(0), kDay}, kYes,
       "wait for a server connection after which `reserve_pool_size` counts"},
      {"query_wait_notify", DurationKey{&o.query_wait_notify, Millis(0), kDay}, kYes,
       "wait for a server connection after which the client is told; 0 is never"},
      {"max_db_connections", NumberKey{&o.max_db_connections, 0, kMaxConnections}, kYes,
       "server connections of one database over all pools; 0 is no limit"},
      {"max_user_connections", NumberKey{&o.max_user_connections, 0, kMaxConnections}, kYes,
       "server connections of one login on the server over all pools; 0 is no limit"},
      {"max_db_client_connections", NumberKey{&o.max_db_client_connections, 0, kMaxConnections},
       kYes, "clients of one database; 0 is no limit"},
      {"max_user_client_connections", NumberKey{&o.max_user_client_connections, 0, kMaxConnections},
       kYes, "clients of one login; 0 is no limit"},
      {"shutdown_timeout", DurationKey{&o.shutdown_timeout, Millis(0), kDay}, kYes,
       "graceful stop: time for sessions to end"},
      {"parser_threads", NumberKey{&o.parser_threads, 1, 64}, kNo,
       "threads on which statement texts never seen before are parsed"},
      {"parser_queue", NumberKey{&o.parser_queue, 1, 1'000'000}, kNo,
       "texts that may wait for these threads; one more is refused"},
      {"analysis_cache", SizeKey{&o.analysis_cache, kMiB, kGiB}, kNo,
       "memory of one worker thread for texts it has analysed, with what was decided about them"},
  };
}

}  // namespace postern::config
