// UUIDs that name columns and link groups in additional data and key derivation.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace postern::crypto {

/// 16 bytes in network order, as in RFC 4122.
using Uuid = std::array<char, 16>;

inline ByteView as_bytes(const Uuid& uuid) {
  return {uuid.data(), uuid.size()};
}

/// Accepts 8-4-4-4-12 hexadecimal digits of either case, nothing else; kBadUuid otherwise.
Result<Uuid> parse_uuid(std::string_view text);
/// Lower case, 8-4-4-4-12.
std::string to_text(const Uuid& uuid);
/// A random version 4 UUID. init() must have been called.
Uuid random_uuid();

}  // namespace postern::crypto
