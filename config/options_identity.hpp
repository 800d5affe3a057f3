// Options of identity: who a client acts for, and of alerts.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/secret.hpp"
#include "config/options_net.hpp"

namespace postern::config {

/// Where a session's tenant may come from. Names: identity_source_names().
enum class IdentitySource : std::uint8_t { kLogin, kCertificate, kJwt, kStartup, kSet, kComment };

/// What of a client certificate an [[identity.map]] entry looks at.
enum class CertificateField : std::uint8_t { kUri, kDns, kEmail, kCn, kDn };

/// [[identity.map]]: the first entry that matches names tenant and subject.
struct IdentityMapEntry {
  CertificateField field = CertificateField::kUri;
  std::string match;    ///< the name; behind "/" a regular expression for the whole name
  std::string tenant;   ///< \1 to \9 stand for groups; empty: names none
  std::string subject;  ///< likewise
};

/// [identity.jwt]: JSON Web Tokens (RFC 7519) signed by one of a set of keys (RFC 7517).
struct JwtOptions {
  FilePath jwks_file;
  std::string issuer;                   ///< `iss` has to be this
  std::string audience;                 ///< `aud` has to be or hold this
  Millis leeway{30'000};                ///< clocks may differ by this
  Millis max_age{86'400'000};           ///< longest time from now to `exp`
  std::string tenant_claim = "tenant";  ///< names of claims; empty: not taken from tokens
  std::string subject_claim = "sub";
  std::string roles_claim = "roles";
  std::string purpose_claim;
  std::string login_claim = "sub";  ///< must equal the login where a token is its only proof
};

/// [identity]
struct IdentityOptions {
  /// In this order: the first that names a tenant decides, the others must not disagree.
  std::vector<std::string> sources{"login", "certificate", "jwt", "startup", "set", "comment"};
  std::vector<IdentityMapEntry> maps;
  std::optional<JwtOptions> jwt;
};

/// [alerts]: violations told to a webhook. Counted and logged without it too.
struct AlertsOptions {
  std::string webhook;          ///< URL, http or https; empty: none
  Secret secret;                ///< signs requests (HMAC-SHA-256); empty: unsigned
  FilePath ca_file;             ///< authorities of the webhook's server; empty: the system's
  Millis timeout{5'000};        ///< of one request
  Millis backoff{1'000};        ///< before the second attempt, doubled for each further one
  std::uint32_t attempts = 5;   ///< then the alert is given up, and counted
  std::uint32_t queue = 1'000;  ///< alerts that may wait; more are dropped, and counted
  Millis repeat_after{
      60'000};  ///< the same rule and fingerprint again; what came between is counted
};

}  // namespace postern::config
