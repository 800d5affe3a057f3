// The few cryptographic primitives the log stands on, in the forms it uses: crypto/ does the work.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>

#include "base/bytes.hpp"
#include "base/secret.hpp"

namespace postern::audit {

/// A SHA-256 value.
using Hash = std::array<std::uint8_t, 32>;

/// View of a hash's 32 bytes; valid as long as `hash` lives.
inline ByteView bytes_of(const Hash& hash) {
  return {reinterpret_cast<const char*>(hash.data()), hash.size()};
}
/// 64 lower-case hexadecimal digits.
std::string hex_of(const Hash& hash);
/// Accepts exactly 64 lower-case digits; an upper-case digit would be a second spelling.
std::optional<Hash> hash_from_hex(std::string_view hex);

/// SHA-256 (FIPS 180-4) over the concatenation of the parts. Any thread.
Hash sha256(std::initializer_list<ByteView> parts);

inline constexpr std::size_t kSeedBytes = 32;       ///< Ed25519 private seed (RFC 8032)
inline constexpr std::size_t kPublicKeyBytes = 32;  ///< Ed25519 public key
inline constexpr std::size_t kSignatureBytes = 64;  ///< Ed25519 signature

/// An Ed25519 key pair. `secret` is the 32-byte seed.
struct SigningKey {
  Secret secret;
  Bytes public_key;
};

/// The pair of a 32-byte seed (checked). Deterministic.
SigningKey signing_key_from_seed(ByteView seed);
/// A 64-byte signature over `message`.
Bytes sign(const SigningKey& key, ByteView message);
/// True only for a canonical signature by `public_key`; false on any wrong length.
bool verify_signature(ByteView public_key, ByteView message, ByteView signature);

/// Standard alphabet with padding (RFC 4648 section 4).
std::string base64_encode(ByteView bytes);
/// Exactly what base64_encode writes: no whitespace, padding present, unused bits zero.
std::optional<Bytes> base64_decode(std::string_view text);

/// Bytes from the system's random generator.
Bytes random_bytes(std::size_t count);

}  // namespace postern::audit
