// [[identity.map]]: what a client certificate says about tenant and subject.
#pragma once

#include <optional>
#include <regex>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "config/options_identity.hpp"
#include "proxy/net/peer_certificate.hpp"

namespace postern::proxy {

/// Either may be empty: not named.
struct CertificateIdentity {
  std::string tenant;
  std::string subject;
};

/// Immutable after open(); any thread.
class IdentityMaps {
 public:
  /// Longer names of certificates match no regular expression.
  static constexpr std::size_t kMaxName = 256;

  /// kConfigBadValue for an expression that does not compile (which validation has refused before).
  Status open(const std::vector<config::IdentityMapEntry>& entries);
  /// The first entry that fits a name of the certificate; nullopt: none does.
  [[nodiscard]] std::optional<CertificateIdentity> find(const PeerCertificate& certificate) const;

 private:
  struct Entry {
    config::IdentityMapEntry written;
    std::optional<std::regex> regex;  ///< instead of a name
  };
  [[nodiscard]] static std::optional<CertificateIdentity> apply(const Entry& entry,
                                                                const std::string& name);
  std::vector<Entry> entries_;
};

}  // namespace postern::proxy
