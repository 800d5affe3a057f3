// JSON Web Tokens (RFC 7519) in compact form, signed by a key of a local set (RFC 7517). The rules
// of RFC 8725: the algorithm is the key's and never the token's to choose, there is no "none", a
// token is for one audience and issuer, and bad input of any shape is an error.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "config/options_identity.hpp"
#include "crypto/jws.hpp"

namespace postern::proxy {

inline constexpr std::size_t kMaxTokenBytes = 8192;
inline constexpr std::size_t kMaxKeySetBytes = 256 * 1024;
inline constexpr std::size_t kMaxKeys = 64;
inline constexpr std::size_t kMaxTokenRoles = 64;
inline constexpr std::size_t kMaxRoleBytes = 63;

/// What a verified token says about its holder.
struct TokenIdentity {
  std::string login;    ///< of login_claim; empty where that is empty
  std::string tenant;   ///< empty: none named
  std::string subject;  ///< likewise
  std::string purpose;
  std::vector<std::string> roles;
  std::int64_t valid_until_us = 0;  ///< since 1970, leeway included
};

/// The keys of one set. Immutable; any thread.
class KeySet {
 public:
  /// `json`: every key needs "alg"; "kid" too where there is more than one, and no two alike. Keys
  /// for other uses ("use" other than "sig", "key_ops" without "verify") are left out.
  /// kKeySetUnusable.
  static Result<KeySet> parse(std::string_view json);

  /// The key with this kid, or the only one where the token names none. kTokenKeyUnknown.
  [[nodiscard]] Result<const crypto::JwsKey*> find(const std::optional<std::string>& kid) const;

 private:
  struct Entry {
    std::string kid;
    crypto::JwsKey key;
  };
  std::vector<Entry> keys_;
};

/// Immutable; any thread.
class TokenVerifier {
 public:
  TokenVerifier(config::JwtOptions options, KeySet keys)
      : options_(std::move(options)), keys_(std::move(keys)) {}
  /// Reads the key set's file. kKeySetUnusable.
  static Result<std::shared_ptr<const TokenVerifier>> open(const config::JwtOptions& options);

  /// `now_us` since 1970. Errors name what is wrong and nothing of the token: kTokenMalformed,
  /// kTokenAlgorithm, kTokenKeyUnknown, kTokenSignature, kTokenExpired, kTokenNotYet, kTokenIssuer,
  /// kTokenClaims.
  [[nodiscard]] Result<TokenIdentity> verify(std::string_view token, std::int64_t now_us) const;
  [[nodiscard]] const config::JwtOptions& options() const { return options_; }

 private:
  config::JwtOptions options_;
  KeySet keys_;
};

}  // namespace postern::proxy
