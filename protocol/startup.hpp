// Startup packets: the untyped messages a client opens a connection with.
// protocol.sgml, "Message Formats": StartupMessage, SSLRequest, GSSENCRequest, CancelRequest.
#pragma once

#include <cstdint>
#include <utility>
#include <variant>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace postern::protocol {

/// Parameters and `_pq_.` options of a session start. Views into the packet decoded.
struct StartupMessage {
  std::uint32_t version = 0;  ///< as sent: major in the high half, minor in the low
  /// In order of sending; names may repeat (PostgreSQL lets the last one win). `_pq_.` protocol
  /// options are among them.
  std::vector<std::pair<ByteView, ByteView>> parameters;

  Status encode(Bytes& out) const;
};

struct SslRequest {
  void encode(Bytes& out) const;
};

struct GssEncRequest {
  void encode(Bytes& out) const;
};

struct CancelRequest {
  std::uint32_t pid = 0;
  ByteView key;  ///< 4 to 256 bytes; view into the packet decoded

  /// kNotEncodable where the key has not 4 to 256 bytes.
  Status encode(Bytes& out) const;
};

using StartupPacket = std::variant<StartupMessage, SslRequest, GssEncRequest, CancelRequest>;

/// Reads the body of a startup packet (version word first). A version that is no request code and
/// whose major is not 3 is kUnsupportedProtocol; a malformed packet is kProtocolViolation.
Result<StartupPacket> decode_startup(ByteView body);

}  // namespace postern::protocol
