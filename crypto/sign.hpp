// Ed25519 signatures (RFC 8032).
#pragma once

#include <array>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"

namespace postern::crypto {

inline constexpr std::size_t kSeedBytes = 32;
inline constexpr std::size_t kPublicKeyBytes = 32;
inline constexpr std::size_t kSignatureBytes = 64;

/// A signing key. Move-only, wiped on destruction. sign() may be called from several threads.
class SigningKey {
 public:
  /// kBadKeyMaterial unless the seed has exactly 32 bytes.
  static Result<SigningKey> from_seed(ByteView seed);

  /// 64 bytes, deterministic.
  [[nodiscard]] Bytes sign(ByteView message) const;
  /// 32 bytes.
  [[nodiscard]] const Bytes& public_key() const { return public_key_; }

 private:
  SigningKey(Secret secret, Bytes public_key)
      : secret_(std::move(secret)), public_key_(std::move(public_key)) {}
  Secret secret_;  // seed and public key, libsodium's form
  Bytes public_key_;
};

/// True only for a valid signature; keys and signatures of wrong length are false. Any thread.
[[nodiscard]] bool verify_signature(ByteView public_key, ByteView message, ByteView signature);

}  // namespace postern::crypto
