// What a verified client certificate says about who holds it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

struct ssl_st;

namespace postern::proxy {

/// Names of a certificate's subject, as PostgreSQL compares them (be-secure-openssl.c).
struct PeerCertificate {
  std::string cn;  ///< the first common name, UTF-8; empty where there is none
  std::string dn;  ///< the whole subject by RFC 2253: "CN=alice,OU=dev,O=example"
  // Alternative names (RFC 5280 section 4.2.1.6), in their order; ones with a zero byte left out.
  std::vector<std::string> uris;
  std::vector<std::string> dns;
  std::vector<std::string> emails;
  std::int64_t not_after_us = 0;  ///< end of its validity, since 1970
};

/// The peer's certificate where it presented one and the chain was verified. A subject with a zero
/// byte counts as no certificate: such names were forged before (CVE-2009-4034).
std::optional<PeerCertificate> read_peer_certificate(ssl_st* ssl);

}  // namespace postern::proxy
