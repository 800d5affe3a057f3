// Digests, message authentication codes and password stretching.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"

namespace postern::crypto {

/// 32 raw bytes, e.g. a SHA-256 digest.
struct Digest {
  std::array<char, 32> raw{};

  [[nodiscard]] ByteView view() const { return {raw.data(), raw.size()}; }
  [[nodiscard]] Bytes bytes() const { return Bytes(view()); }
  friend bool operator==(const Digest&, const Digest&) = default;
};

/// SHA-256 (FIPS 180-4). Any thread.
Digest sha256(ByteView message);

/// Incremental SHA-256; one thread at a time. After finish() the object starts afresh.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  Sha256& update(ByteView part);
  [[nodiscard]] Digest finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// HMAC-SHA-256 (RFC 2104), keys of any length. Compare results with equal_constant_time.
Digest hmac_sha256(ByteView key, ByteView message);

/// PBKDF2-HMAC-SHA-256 (RFC 8018) with 32 bytes of output, as SCRAM's Hi() uses it (RFC 5802).
/// `iterations` must be 1 to kMaxPbkdf2Iterations; kBadKeyMaterial otherwise. About 0.3 us per
/// iteration: keep large counts off worker threads.
inline constexpr std::uint32_t kMaxPbkdf2Iterations = 10'000'000;
Result<Secret> pbkdf2_sha256(ByteView password, ByteView salt, std::uint32_t iterations);

/// Lower-case hexadecimal MD5, only for PostgreSQL's md5 password method towards a server.
/// kCryptoUnavailable where the system's OpenSSL forbids MD5.
Result<std::string> md5_hex(ByteView message);

/// BLAKE2b (RFC 7693), optionally keyed. `size` 16 to 64 bytes, key at most 64 bytes; outside of
/// these the process ends, since both are constants of the program.
inline constexpr std::size_t kMinBlake2bBytes = 16;
inline constexpr std::size_t kMaxBlake2bBytes = 64;
Bytes blake2b(ByteView message, std::size_t size, ByteView key = {});

}  // namespace postern::crypto
