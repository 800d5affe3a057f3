#include "crypto/init.hpp"

#include <sodium.h>

#include "base/codes/crypto.hpp"

namespace postern::crypto {

Status init() {
  if (sodium_init() < 0) return make_error(pst::kCryptoUnavailable, "libsodium");
  return ok();
}

Bytes random_bytes(std::size_t count) {
  Bytes out(count, '\0');
  randombytes_buf(out.data(), out.size());
  return out;
}

Secret random_secret(std::size_t count) {
  return Secret(random_bytes(count));
}

std::uint32_t random_u32() {
  return randombytes_random();
}

}  // namespace postern::crypto
