// What a server tells a client between startup and the first ReadyForQuery, and parameter reports.
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace postern::protocol {

/// The answer to a newer minor version or to unknown `_pq_.` options; sent once, before
/// authentication.
struct NegotiateProtocolVersion {
  /// Newest version supported, as a whole word (PostgreSQL sends 196608 for 3.0).
  std::uint32_t version = 0;
  std::vector<ByteView> unknown_options;
  static Result<NegotiateProtocolVersion> decode(ByteView body);
  Status encode(Bytes& out) const;
};

/// What a CancelRequest for this session must present.
struct BackendKeyData {
  std::uint32_t pid = 0;
  ByteView key;  ///< 4 bytes in 3.0, 4 to 256 in 3.2
  static Result<BackendKeyData> decode(ByteView body);
  Status encode(Bytes& out) const;
};

/// The current value of a reported setting; may arrive at any time.
struct ParameterStatus {
  ByteView name;
  ByteView value;
  static Result<ParameterStatus> decode(ByteView body);
  Status encode(Bytes& out) const;
};

}  // namespace postern::protocol
