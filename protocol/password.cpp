#include "protocol/password.hpp"

#include <algorithm>

#include "base/codes/auth.hpp"

namespace postern::protocol {
namespace {

constexpr ByteView kPrefix = "md5";
constexpr std::size_t kHexDigits = 32;

Result<Secret> hashed(Md5 md5, const Secret& input) {
  Bytes digest(kHexDigits / 2, '\0');
  if (md5 == nullptr || !md5(input.reveal(), digest.data())) {
    return make_error(pst::kCryptoFailed);
  }
  return Secret(Bytes(kPrefix) + to_hex(digest));
}

}  // namespace

Result<Secret> md5_hash(Md5 md5, ByteView password, ByteView user) {
  return hashed(md5, Secret(Bytes(password) + Bytes(user)));
}

bool is_md5_hash(ByteView text) {
  if (text.size() != kPrefix.size() + kHexDigits || !text.starts_with(kPrefix)) return false;
  const ByteView digits = text.substr(kPrefix.size());
  return std::all_of(digits.begin(), digits.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

Result<Secret> md5_answer(Md5 md5, ByteView hash, ByteView salt) {
  if (!is_md5_hash(hash)) return make_error(pst::kCryptoFailed);
  return hashed(md5, Secret(Bytes(hash.substr(kPrefix.size())) + Bytes(salt)));
}

Result<bool> password_fits(const ScramPrimitives& primitives, ByteView password,
                           const ScramSecret& secret) {
  POSTERN_ASSIGN(const ScramClientKeys keys,
                 derive_scram_keys(primitives, password, secret.salt, secret.iterations));
  ScramKey stored;
  if (!primitives.sha256(keys.client_key.reveal(), stored.data())) {
    return make_error(pst::kCryptoFailed);
  }
  return equal_constant_time(stored.reveal(), secret.stored_key.reveal());
}

}  // namespace postern::protocol
