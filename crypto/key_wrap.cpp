#include "crypto/key_wrap.hpp"

#include "base/codes/crypto.hpp"
#include "crypto/aead.hpp"
#include "crypto/base64.hpp"
#include "crypto/init.hpp"

namespace postern::crypto {
namespace {

Bytes label_aad(const WrapLabel& label) {
  char id[4];
  store_be32(id, label.key_id);
  Bytes aad;
  append_aad_field(aad, "postern/key-wrap1");
  append_aad_field(aad, label.store);
  append_aad_field(aad, label.kind);
  append_aad_field(aad, label.tenant);
  append_aad_field(aad, {id, sizeof id});
  append_aad_field(aad, label.purpose);
  return aad;
}

}  // namespace

std::string wrap_key(ByteView wrapping_key, const WrapLabel& label, ByteView key) {
  const Bytes aad = label_aad(label);
  Bytes sealed = random_bytes(kAeadNonceBytes);
  const Bytes nonce = sealed;
  aead_seal({wrapping_key, nonce, aad}, key, sealed);
  return base64_encode(sealed);
}

Status unwrap_key(ByteView wrapping_key, const WrapLabel& label, std::string_view wrapped,
                  char* out) {
  const auto sealed = base64_decode(wrapped);
  if (!sealed || sealed->size() != kAeadNonceBytes + kWrappedKeyBytes + kAeadTagBytes) {
    return make_error(pst::kDecryptFailed);
  }
  const Bytes aad = label_aad(label);
  const ByteView bytes(*sealed);
  return aead_open_to({wrapping_key, bytes.substr(0, kAeadNonceBytes), aad},
                      bytes.substr(kAeadNonceBytes), out);
}

}  // namespace postern::crypto
