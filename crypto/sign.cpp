#include "crypto/sign.hpp"

#include <sodium.h>

#include "base/codes/crypto.hpp"

namespace postern::crypto {
namespace {

const unsigned char* raw(ByteView bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

unsigned char* raw(Bytes& bytes) {
  return reinterpret_cast<unsigned char*>(bytes.data());
}

}  // namespace

Result<SigningKey> SigningKey::from_seed(ByteView seed) {
  if (seed.size() != kSeedBytes) return make_error(pst::kBadKeyMaterial, "signing seed");
  Bytes secret(crypto_sign_SECRETKEYBYTES, '\0');
  Bytes public_key(kPublicKeyBytes, '\0');
  crypto_sign_seed_keypair(raw(public_key), raw(secret), raw(seed));
  return SigningKey(Secret(std::move(secret)), std::move(public_key));
}

Bytes SigningKey::sign(ByteView message) const {
  Bytes signature(kSignatureBytes, '\0');
  crypto_sign_detached(raw(signature), nullptr, raw(message), message.size(),
                       raw(secret_.reveal()));
  return signature;
}

bool verify_signature(ByteView public_key, ByteView message, ByteView signature) {
  if (public_key.size() != kPublicKeyBytes || signature.size() != kSignatureBytes) return false;
  return crypto_sign_verify_detached(raw(signature), raw(message), message.size(),
                                     raw(public_key)) == 0;
}

}  // namespace postern::crypto
