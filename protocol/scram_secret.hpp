// SCRAM-SHA-256 keys and the stored secret, as PostgreSQL keeps it in pg_authid.rolpassword
// (RFC 5802 section 3, RFC 7677, src/common/scram-common.c).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"

namespace postern::protocol {

inline constexpr std::size_t kScramKeyBytes = 32;
inline constexpr std::size_t kScramSaltBytes = 16;       ///< SCRAM_DEFAULT_SALT_LEN
inline constexpr std::size_t kMaxScramSaltBytes = 1024;  ///< accepted from others
inline constexpr std::uint32_t kScramIterations = 4096;  ///< SCRAM_SHA_256_DEFAULT_ITERATIONS
/// Refused above: a hostile server could otherwise keep a thread busy for hours.
inline constexpr std::uint32_t kMaxScramIterations = 1'000'000;

/// 32 bytes that are wiped when released.
class ScramKey {
 public:
  ScramKey() = default;
  ScramKey(const ScramKey&) = default;
  ScramKey& operator=(const ScramKey&) = default;
  ~ScramKey() { wipe(bytes_.data(), bytes_.size()); }

  [[nodiscard]] ByteView reveal() const { return {bytes_.data(), bytes_.size()}; }
  char* data() { return bytes_.data(); }

 private:
  std::array<char, kScramKeyBytes> bytes_{};
};

/// The cryptography SCRAM needs, given by the caller so that this folder stays free of libraries.
/// Every function returns false on failure, and then its output is not used. All are pure but
/// `random_bytes`, and callable from any thread.
struct ScramPrimitives {
  /// SHA-256 of `data` into 32 bytes at `out`.
  bool (*sha256)(ByteView data, char* out);
  /// HMAC-SHA-256 into 32 bytes at `out`.
  bool (*hmac_sha256)(ByteView key, ByteView data, char* out);
  /// PBKDF2-HMAC-SHA-256 into 32 bytes at `out`. Costs milliseconds at 4096 iterations.
  bool (*pbkdf2_sha256)(ByteView password, ByteView salt, std::uint32_t iterations, char* out);
  /// `size` bytes from a cryptographically secure source.
  bool (*random_bytes)(char* out, std::size_t size);
  /// SASLprep (RFC 4013) of a UTF-8 password into `out`. False where the password is not UTF-8 or
  /// holds prohibited characters: it is then used as it is, as PostgreSQL does.
  bool (*saslprep)(ByteView password, Bytes& out);
};

/// What a server keeps of a password. Holding it allows posing as the server, so it is wiped too.
struct ScramSecret {
  std::uint32_t iterations = kScramIterations;
  Bytes salt;
  ScramKey stored_key;
  ScramKey server_key;

  /// Reads "SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>"; kBadScramSecret otherwise.
  /// The error never repeats the text.
  static Result<ScramSecret> parse(ByteView text);
  [[nodiscard]] Bytes format() const;
};

/// What a client derives from a password. `client_key` is as good as the password.
struct ScramClientKeys {
  ScramKey client_key;
  ScramKey server_key;
};

/// What a client's proof gives to a server that holds its verifier: enough to log in to another
/// server that holds the very same verifier (RFC 5802 section 9: as good as the password there).
struct ScramPass {
  std::uint32_t iterations = 0;
  Bytes salt;
  ScramClientKeys keys;
};

/// Derives both keys; kCryptoFailed where a primitive fails.
Result<ScramClientKeys> derive_scram_keys(const ScramPrimitives& primitives, ByteView password,
                                          ByteView salt, std::uint32_t iterations);

/// Makes the secret to store for `password`.
Result<ScramSecret> build_scram_secret(const ScramPrimitives& primitives, ByteView password,
                                       ByteView salt, std::uint32_t iterations = kScramIterations);

/// A secret no password fits, for users that do not exist: the salt is a function of `mock_key`
/// (constant for an installation, secret) and the name, so that asking twice shows no difference.
/// The keys are zero; ScramServer must be told so by Credential::kMock.
Result<ScramSecret> mock_scram_secret(const ScramPrimitives& primitives, ByteView mock_key,
                                      ByteView user, std::uint32_t iterations = kScramIterations);

/// 18 random bytes as base64: one side's nonce.
Result<Bytes> make_scram_nonce(const ScramPrimitives& primitives);

}  // namespace postern::protocol
