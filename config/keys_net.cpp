// Rows of sockets, clusters, databases and logins.
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
constexpr std::string_view kAuthMethods[] = {"scram-sha-256", "trust"};
constexpr std::string_view kProfiles[] = {"default", "app",   "analyst",    "migrator",
                                          "backup",  "admin", "transparent"};

constexpr std::uint64_t kKiB = 1u << 10;
constexpr std::uint64_t kMiB = 1u << 20;
constexpr Millis kDay{86'400'000};

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
       "if given, clients must present a certificate of this authority"},
  };
}

KeyRows keys_of(ClusterOptions& o) {
  return {
      {"nodes", HostPortsKey{&o.nodes}, kYes,
       "servers that hold the same data, as \"host:port\" or \"/socket/folder:port\"; which is the "
       "primary is detected",
       kRequired},
      {"connect_timeout", DurationKey{&o.connect_timeout, Millis(1), Millis(600'000)}, kYes,
       "longest wait for a connection, its TLS and its login"},
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
       "server connections per pool (node, database, login, tenant)"},
      {"profile", choice(o.profile, kProfiles), kYes, "profile of logins that name none"},
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

KeyRows keys_of(AuthOptions& o) {
  return {
      {"method", choice(o.method, kAuthMethods), kNo,
       "`trust` asks for no password: only for closed test beds on a loopback address"},
      {"users_file", PathKey{&o.users_file}, kYes, "file with the [user.NAME] sections"},
  };
}

KeyRows keys_of(UserOptions& o) {
  return {
      {"password", SecretKey{&o.password}, kYes, "password in clear"},
      {"password_file", SecretFileKey{&o.password}, kYes, "file with the password"},
      {"scram", SecretKey{&o.scram}, kYes, "instead: SCRAM-SHA-256 verifier as pg_authid has it"},
      {"tenant", TenantKey{&o.tenant}, kYes, "the one tenant of this login"},
      {"tenants", TenantsKey{&o.tenants}, kYes,
       "instead: tenants this login may choose from; [\"*\"] is every tenant"},
      {"profile", choice(o.profile, kProfiles), kYes, "what this login may do"},
      {"upstream_user", TextKey{&o.upstream_user, 63}, kYes,
       "login used on the server; empty is the database's `user`, else its own name"},
  };
}

KeyRows keys_of(LimitsOptions& o) {
  constexpr std::uint64_t kGiB = 1u << 30;
  return {
      {"max_clients", NumberKey{&o.max_clients, 1, 1'000'000}, kYes, "client connections"},
      {"message_bytes", SizeKey{&o.message_bytes, 64 * kKiB, kGiB - 1}, kYes,
       "one client message that has to be held whole"},
      {"query_bytes", SizeKey{&o.query_bytes, kKiB, 64 * kMiB}, kYes,
       "longest statement text that is analysed; longer text is refused on a protected database "
       "and passed on unread elsewhere"},
      {"encrypted_value_bytes", SizeKey{&o.encrypted_value_bytes, kKiB, 256 * kMiB}, kYes,
       "plaintext of one protected value"},
      {"login_timeout", DurationKey{&o.login_timeout, Millis(100), Millis(600'000)}, kYes,
       "from connect to the first ReadyForQuery"},
      {"pool_timeout", DurationKey{&o.pool_timeout, Millis(1), kDay}, kYes,
       "longest wait for a server connection"},
      {"idle_timeout", DurationKey{&o.idle_timeout, Millis(0), 30 * kDay}, kYes,
       "client silent outside a transaction; 0 is never"},
      {"server_idle_timeout", DurationKey{&o.server_idle_timeout, Millis(0), 30 * kDay}, kYes,
       "pooled server connection without use; 0 is never"},
      {"shutdown_timeout", DurationKey{&o.shutdown_timeout, Millis(0), kDay}, kYes,
       "graceful stop: time for sessions to end"},
  };
}

}  // namespace postern::config
