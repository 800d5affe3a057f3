// Rows of authentication and logins.
#include "config/key.hpp"

namespace postern::config {
namespace {

using enum Reload;
using enum Need;

constexpr std::string_view kAuthMethods[] = {"scram-sha-256", "trust"};
constexpr std::string_view kRuleTypes[] = {"host", "hostssl", "hostnossl", "local"};
constexpr std::string_view kRuleMethods[] = {"scram-sha-256", "cert",     "trust", "reject",
                                             "md5",           "password", "jwt"};
constexpr std::string_view kRuleCertificates[] = {"none", "verify-ca", "verify-full"};
constexpr std::string_view kCertificateNames[] = {"cn", "dn"};
constexpr Millis kHour{3'600'000};
constexpr std::int64_t kMaxConnections = 1'000'000;

}  // namespace

KeyRows keys_of(AuthOptions& o) {
  return {
      {"method", choice(o.method, kAuthMethods), kNo,
       "`trust` asks for no password: only for closed test beds on a loopback address"},
      {"users_file", PathKey{&o.users_file}, kYes, "file with the [user.NAME] sections"},
      {"channel_binding", FlagKey{&o.channel_binding}, kYes,
       "offer SCRAM-SHA-256-PLUS over TLS; false behind a balancer that ends TLS"},
      {"failure_burst", NumberKey{&o.failure_burst, 0, 1'000'000}, kNo,
       "failed logins an address may have in a row before further ones are refused; 0 is no limit"},
      {"failure_interval", DurationKey{&o.failure_interval, Millis(1), kHour}, kNo,
       "after which an address is forgiven one failed login"},
      {"rule", list(o.rules), kYes,
       "as a line of pg_hba.conf: the first that matches decides; none: `method` for everyone"},
      {"map", list(o.maps), kYes, "as a line of pg_ident.conf: which login a certificate may use"},
      {"query", section(o.query), kNo, "looks up secrets that the users file does not have"},
  };
}

KeyRows keys_of(AuthRule& o) {
  return {
      {"type", choice(o.type, kRuleTypes), kYes, "kind of connection"},
      {"database", TextsKey{&o.database}, kYes,
       "databases as clients name them; \"all\", \"sameuser\", and \"replication\" for physical "
       "replication, which \"all\" does not cover; empty is all"},
      {"user", TextsKey{&o.user}, kYes, "logins; \"all\"; empty is all"},
      {"address", TextKey{&o.address, 64}, kYes,
       "client address: one, or a block such as \"10.0.0.0/8\"; empty is all"},
      {"method", choice(o.method, kRuleMethods), kYes,
       "how the client proves itself; `md5`, for clients that know no SCRAM, `password`, and `jwt` "
       "with a token as the password, are answered over TLS only",
       kRequired},
      {"client_cert", choice(o.client_cert, kRuleCertificates), kYes,
       "certificate asked for beside the method: of our authority, and naming the login"},
      {"client_name", choice(o.client_name, kCertificateNames), kYes,
       "what of the certificate's subject names the client"},
      {"map", TextKey{&o.map, 63}, kYes,
       "name of the [[auth.map]] entries in force; empty: certificate and login are equal"},
  };
}

KeyRows keys_of(AuthMapEntry& o) {
  return {
      {"map", TextKey{&o.map, 63}, kYes, "name of the map", kRequired},
      {"certificate", TextKey{&o.certificate, 256}, kYes,
       "name in the certificate; behind \"/\" a regular expression for the whole name", kRequired},
      {"login", TextKey{&o.login, 63}, kYes,
       "login it may use; \\1 stands for the expression's first group", kRequired},
  };
}

KeyRows keys_of(AuthQueryOptions& o) {
  return {
      {"user", TextKey{&o.user, 63}, kNo, "login on the server that looks secrets up", kRequired},
      {"password", SecretKey{&o.password}, kNo, "its password"},
      {"password_file", SecretFileKey{&o.password}, kNo, "file with its password"},
      {"database", TextKey{&o.database, 63}, kNo, "database on the server that is asked"},
      {"cluster", TextKey{&o.cluster}, kNo, "name of the [cluster.NAME]; empty is the only one"},
      {"query", TextKey{&o.query, 8192}, kNo,
       "statement with the login as $1; columns: name, secret, optionally valid until. Runs "
       "read-only with an empty search_path: qualify every name"},
      {"ttl", DurationKey{&o.ttl, Millis(0), kHour}, kNo, "how long an answer is kept"},
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
      {"trusted", FlagKey{&o.trusted}, kYes,
       "its startup options, SET and comments may name tenant (among `tenants`), subject, purpose"},
      {"profile", choice(o.profile, profile_names()), kYes, "what this login may do"},
      {"upstream_user", TextKey{&o.upstream_user, 63}, kYes,
       "login used on the server; empty is the database's `user`, else its own name"},
      {"replication", FlagKey{&o.replication}, kYes,
       "may open replication connections (pg_basebackup, pg_receivewal, logical decoding)"},
      {"pool_size", NumberKey{&o.pool_size, 0, 10'000}, kYes,
       "server connections per pool of this login; 0 is what the database says"},
      {"max_user_connections", NumberKey{&o.max_user_connections, 0, kMaxConnections}, kYes,
       "server connections of this login over all pools; 0 is what [limits] says"},
      {"max_user_client_connections", NumberKey{&o.max_user_client_connections, 0, kMaxConnections},
       kYes, "clients of this login; 0 is what [limits] says"},
  };
}

}  // namespace postern::config
