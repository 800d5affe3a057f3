// The MAC of the tenant context token and the form of its key that plain SQL can use.
//
// The database verifies with core functions only: sha256(outer || sha256(inner || message)), where
// inner and outer are the key's blocks of RFC 2104 (key xor 0x36.., key xor 0x5c.., 64 bytes each).
#pragma once

#include <string>

#include "base/bytes.hpp"
#include "base/secret.hpp"

namespace postern::crypto {

inline constexpr std::size_t kGuardKeyBytes = 32;
inline constexpr std::size_t kMacBlockBytes = 64;

/// A new random key of 32 bytes. init() first.
Secret generate_guard_key();

/// HMAC-SHA-256 of the message, 64 lower-case hexadecimal digits. Any thread.
std::string context_mac_hex(ByteView key, ByteView message);

/// As secret as the key itself.
struct MacKeyBlocks {
  Secret inner;  ///< 64 bytes
  Secret outer;  ///< 64 bytes
};
MacKeyBlocks mac_key_blocks(ByteView key);

}  // namespace postern::crypto
