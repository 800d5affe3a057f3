// The PROXY protocol, versions 1 and 2, as a receiver (haproxy.org, proxy-protocol.txt, 2.1 and
// 2.2): how a load balancer in front of Postern announces whom it speaks for.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace postern::proxy {

struct ProxyHeader {
  std::size_t size = 0;  ///< bytes of the header; what follows is the client's
  /// "host:port" or "[ipv6]:port" of the client; empty where the balancer speaks for itself (LOCAL,
  /// UNKNOWN, health checks) or for a unix socket: the connection's own address holds.
  std::string address;
};

/// The longest header accepted: version 1 has 107 bytes, version 2 16 and its addresses and TLVs.
inline constexpr std::size_t kMaxProxyV1 = 107;
inline constexpr std::size_t kMaxProxyV2 = 16 + 2048;

/// What is known after so many bytes.
struct ProxyProgress {
  std::size_t need = 0;               ///< unread bytes needed in total; 0 where `header` is there
  std::optional<ProxyHeader> header;  ///< complete
};

/// Looks at the first bytes of a connection. kProxyHeader where they cannot become a header. Pure.
Result<ProxyProgress> read_proxy_header(ByteView unread);

}  // namespace postern::proxy
