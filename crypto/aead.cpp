#include "crypto/aead.hpp"

#include <sodium.h>

#include "base/check.hpp"
#include "base/codes/crypto.hpp"

namespace postern::crypto {
namespace {

const unsigned char* raw(ByteView bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

void check_lengths(const AeadInput& input) {
  POSTERN_CHECK(input.key.size() == kAeadKeyBytes);
  POSTERN_CHECK(input.nonce.size() == kAeadNonceBytes);
}

}  // namespace

void aead_seal(const AeadInput& input, ByteView plaintext, Bytes& out) {
  check_lengths(input);
  const std::size_t start = out.size();
  out.resize(start + plaintext.size() + kAeadTagBytes);
  crypto_aead_xchacha20poly1305_ietf_encrypt(reinterpret_cast<unsigned char*>(out.data() + start),
                                             nullptr, raw(plaintext), plaintext.size(),
                                             raw(input.aad), input.aad.size(), nullptr,
                                             raw(input.nonce), raw(input.key));
}

Status aead_open_to(const AeadInput& input, ByteView ciphertext, char* out) {
  check_lengths(input);
  if (ciphertext.size() < kAeadTagBytes) return make_error(pst::kDecryptFailed);
  const int failed = crypto_aead_xchacha20poly1305_ietf_decrypt(
      reinterpret_cast<unsigned char*>(out), nullptr, nullptr, raw(ciphertext), ciphertext.size(),
      raw(input.aad), input.aad.size(), raw(input.nonce), raw(input.key));
  if (failed != 0) return make_error(pst::kDecryptFailed);
  return ok();
}

Status aead_open(const AeadInput& input, ByteView ciphertext, Bytes& out) {
  if (ciphertext.size() < kAeadTagBytes) return make_error(pst::kDecryptFailed);
  const std::size_t start = out.size();
  out.resize(start + ciphertext.size() - kAeadTagBytes);
  Status opened = aead_open_to(input, ciphertext, out.data() + start);
  if (!opened) out.resize(start);
  return opened;
}

}  // namespace postern::crypto
