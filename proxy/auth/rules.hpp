// Which way a client has to prove itself: [[auth.rule]] and [[auth.map]], equal in meaning to
// pg_hba.conf and pg_ident.conf (PostgreSQL documentation, "Client Authentication").
#pragma once

#include <optional>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "config/address_range.hpp"
#include "config/options.hpp"
#include "protocol/client_login.hpp"
#include "proxy/net/peer_certificate.hpp"

namespace postern::proxy {

/// What is known of a client when it asks to log in.
struct LoginAttempt {
  std::string user;
  std::string database;
  protocol::Replication replication = protocol::Replication::kNone;
  std::optional<config::NetAddress> address;  ///< nullopt: a unix socket
  bool encrypted = false;
  std::optional<PeerCertificate> certificate;
};

/// How it has to prove itself. `method` is never kReject.
struct Admission {
  config::RuleMethod method = config::RuleMethod::kScramSha256;
  bool for_replication = false;  ///< the rule names "replication", which permits it
};

/// Which logins the holder of a certificate may use.
class CertificateMaps {
 public:
  /// Longer names of certificates match no regular expression.
  static constexpr std::size_t kMaxName = 256;

  /// kConfigBadValue for an expression that does not compile.
  Status open(const std::vector<config::AuthMapEntry>& entries);
  /// An entry of `map` leads from `name` to `login`. An expression has to match the whole name.
  [[nodiscard]] bool permits(std::string_view map, const std::string& name,
                             std::string_view login) const;

 private:
  struct Entry {
    std::string map;
    std::string name;  ///< where there is no expression
    std::optional<std::regex> regex;
    std::string login;
  };
  [[nodiscard]] static bool leads(const Entry& entry, const std::string& name,
                                  std::string_view login);
  std::vector<Entry> entries_;
};

/// Immutable after open(); any thread.
class AuthRules {
 public:
  /// kConfigBadValue where a rule or map is malformed (which validation has refused before).
  Status open(const config::AuthOptions& options);

  /// The first rule that matches decides; without any rule, the method of [auth]. Certificates
  /// that a rule asks for are checked here. kNoAuthRule, kRejectedByRule, kCertificateRefused.
  [[nodiscard]] Result<Admission> admit(const LoginAttempt& attempt) const;

 private:
  struct Rule {
    config::AuthRule options;
    std::optional<config::AddressRange> range;  ///< nullopt: every address
  };
  [[nodiscard]] static bool matches(const Rule& rule, const LoginAttempt& attempt);
  [[nodiscard]] Status check_certificate(const config::AuthRule& rule,
                                         const LoginAttempt& attempt) const;

  std::vector<Rule> rules_;
  CertificateMaps maps_;
  config::RuleMethod fallback_ = config::RuleMethod::kScramSha256;
};

/// "scram-sha-256", "cert" and so on, as configuration and access log write it.
std::string_view method_name(config::RuleMethod method);

}  // namespace postern::proxy
