// What a verified client certificate says about who holds it.
#pragma once

#include <optional>
#include <string>

struct ssl_st;

namespace postern::proxy {

/// Names of a certificate's subject, as PostgreSQL compares them (be-secure-openssl.c).
struct PeerCertificate {
  std::string cn;  ///< the first common name, UTF-8; empty where there is none
  std::string dn;  ///< the whole subject by RFC 2253: "CN=alice,OU=dev,O=example"
};

/// The peer's certificate where it presented one and the chain was verified. A subject with a zero
/// byte counts as no certificate: such names were forged before (CVE-2009-4034).
std::optional<PeerCertificate> read_peer_certificate(ssl_st* ssl);

}  // namespace postern::proxy
