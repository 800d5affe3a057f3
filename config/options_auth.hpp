// Options of authentication: [auth], its rules and maps, and the logins of the users file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/secret.hpp"
#include "config/options_net.hpp"

namespace postern::config {

enum class AuthMethod : std::uint8_t { kScramSha256, kTrust };
/// The kinds of connection of pg_hba.conf. kHost: TCP with TLS or without.
enum class RuleType : std::uint8_t { kHost, kHostSsl, kHostNoSsl, kLocal };
enum class RuleMethod : std::uint8_t {
  kScramSha256,
  kCert,
  kTrust,
  kReject,
  kMd5,
  kPassword,
  kJwt
};
/// pg_hba.conf's clientcert, beside the method.
enum class RuleCertificate : std::uint8_t { kNone, kVerifyCa, kVerifyFull };
/// pg_hba.conf's clientname: what of a certificate's subject is compared or mapped.
enum class CertificateName : std::uint8_t { kCn, kDn };

/// [[auth.rule]]: as a line of pg_hba.conf; the first that matches decides.
struct AuthRule {
  RuleType type = RuleType::kHost;
  std::vector<std::string> database;  ///< names, "all", "sameuser", "replication"; empty = all
  std::vector<std::string> user;      ///< names, "all"; empty = all
  std::string address;                ///< "all", an address or a CIDR block; empty = all
  RuleMethod method = RuleMethod::kScramSha256;
  RuleCertificate client_cert = RuleCertificate::kNone;
  CertificateName client_name = CertificateName::kCn;
  std::string map;  ///< name of [[auth.map]] entries; empty: certificate and login are equal
};

/// [[auth.map]]: as a line of pg_ident.conf.
struct AuthMapEntry {
  std::string map;
  std::string certificate;  ///< the name in the certificate; behind "/" a regular expression
  std::string login;        ///< \1 stands for what the first group matched
};

/// [auth.query]: logins that the users file has no secret of are looked up on a server.
struct AuthQueryOptions {
  std::string user;
  Secret password;
  std::string database = "postgres";
  std::string cluster;  ///< empty: the only one there is
  /// One text parameter, the login; columns: name, secret, and optionally until when it is valid.
  std::string query =
      "SELECT rolname, rolpassword, rolvaliduntil FROM pg_catalog.pg_authid"
      " WHERE rolname OPERATOR(pg_catalog.=) $1::pg_catalog.name AND rolcanlogin";
  Millis ttl{10'000};
};

/// [auth]
struct AuthOptions {
  AuthMethod method = AuthMethod::kScramSha256;
  FilePath users_file;
  bool channel_binding = true;       ///< offer SCRAM-SHA-256-PLUS where TLS ends here
  std::uint32_t failure_burst = 30;  ///< failed logins of one address in a row; 0 = no limit
  Millis failure_interval{2'000};    ///< after which one more is forgiven
  std::vector<AuthRule> rules;       ///< none: `method` for everyone
  std::vector<AuthMapEntry> maps;
  std::optional<AuthQueryOptions> query;
};

/// The tenants a login may choose from. Neither `any` nor `allowed`: the login has no choice.
struct TenantChoice {
  bool any = false;  ///< written as ["*"]
  std::vector<TenantId> allowed;
  [[nodiscard]] bool empty() const { return !any && allowed.empty(); }
  [[nodiscard]] bool permits(const TenantId& tenant) const;
};

/// [user.NAME] in the users file. Exactly one of `password` and `scram` is given, except where
/// another way to authenticate is configured.
struct UserOptions {
  Secret password;
  Secret
      scram;  ///< "SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>", as pg_authid has it
  TenantId tenant;       ///< fixed tenant of this login; none() = not fixed
  TenantChoice tenants;  ///< or the tenants it may choose; excludes `tenant`
  bool trusted = false;  ///< its statements and startup may name tenant, subject and purpose
  Profile profile = Profile::kDefault;
  std::string upstream_user;  ///< login used upstream; empty = the database's `user`, else its own
  bool replication = false;   ///< may open replication connections
  std::uint32_t pool_size = 0;                    ///< 0 = the database's
  std::uint32_t max_user_connections = 0;         ///< 0 = as [limits]
  std::uint32_t max_user_client_connections = 0;  ///< 0 = as [limits]
};

}  // namespace postern::config
