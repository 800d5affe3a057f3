// Passwords in clear and as MD5 digests: protocol.html, "AuthenticationMD5Password"; the older
// alternatives to SCRAM, used only where configured.
#pragma once

#include <array>
#include <optional>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"
#include "protocol/scram_secret.hpp"

namespace postern::protocol {

inline constexpr std::size_t kMd5SaltBytes = 4;

/// MD5 of `data` into 16 bytes at `out`; false where it is not available.
using Md5 = bool (*)(ByteView data, char* out);

/// Whether an authentication method that gives something away may be used.
enum class WeakMethod : std::uint8_t { kNever, kOverTls, kAlways };
constexpr bool permits(WeakMethod method, bool encrypted) {
  return method == WeakMethod::kAlways || (method == WeakMethod::kOverTls && encrypted);
}

/// "md5" and 32 hexadecimal digits: what pg_authid keeps of a password under
/// password_encryption = md5. As good as the password to whoever speaks md5. kCryptoFailed.
Result<Secret> md5_hash(Md5 md5, ByteView password, ByteView user);
/// True for text of that form.
bool is_md5_hash(ByteView text);
/// What a client answers to AuthenticationMD5Password, from md5_hash() and the salt sent.
Result<Secret> md5_answer(Md5 md5, ByteView hash, ByteView salt);

/// What is known of a password, to check one sent in clear. Neither: no such user.
struct StoredPassword {
  std::optional<ScramSecret> scram;
  Secret md5;  ///< as md5_hash() makes it
};

/// Does `password` fit? Derives SCRAM keys: milliseconds. kCryptoFailed.
Result<bool> password_fits(const ScramPrimitives& primitives, ByteView password,
                           const ScramSecret& secret);

}  // namespace postern::protocol
