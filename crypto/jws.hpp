// Signatures of JSON Web Tokens (RFC 7515, RFC 7518 section 3, RFC 8037 section 3.1): one key, one
// algorithm. The forms of header, claims and key set are not known here.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"

struct evp_pkey_st;

namespace postern::crypto {

enum class JwsAlgorithm : std::uint8_t { kEdDsa, kEs256, kRs256, kHs256 };

/// "EdDSA" and so on; nullopt for any other, "none" included. Case counts.
std::optional<JwsAlgorithm> jws_algorithm(std::string_view name);

/// Base64url without padding (RFC 7515 section 2). Strict: nothing but its alphabet, no stray bits.
std::optional<Bytes> base64url_decode(std::string_view text);

/// A key that verifies one algorithm's signatures and no other's. Immutable; any thread.
class JwsKey {
 public:
  static constexpr std::size_t kLeastRsaBits = 2048;  ///< RFC 7518 section 3.3
  static constexpr std::size_t kMostRsaBits = 8192;
  static constexpr std::size_t kLeastSecret = 32;  ///< RFC 7518 section 3.2

  // nullopt where the parameters are no such key, or a weaker one than the RFC allows.
  static std::optional<JwsKey> ed25519(ByteView x);
  static std::optional<JwsKey> p256(ByteView x, ByteView y);
  static std::optional<JwsKey> rsa(ByteView n, ByteView e);
  static std::optional<JwsKey> hmac(ByteView secret);

  [[nodiscard]] JwsAlgorithm algorithm() const { return algorithm_; }
  /// Over header and claims with their dot, as they came.
  [[nodiscard]] bool verifies(ByteView message, ByteView signature) const;

 private:
  using Pkey = std::shared_ptr<evp_pkey_st>;
  JwsKey(JwsAlgorithm algorithm, std::variant<Pkey, std::shared_ptr<const Secret>> key)
      : algorithm_(algorithm), key_(std::move(key)) {}
  JwsAlgorithm algorithm_;
  std::variant<Pkey, std::shared_ptr<const Secret>> key_;
};

}  // namespace postern::crypto
