#include "crypto/root_key.hpp"

#include <sodium.h>

#include "base/codes/crypto.hpp"
#include "base/secret.hpp"
#include "crypto/base64.hpp"
#include "crypto/file_io.hpp"
#include "crypto/init.hpp"

namespace postern::crypto {
namespace {

ByteView without_final_newline(ByteView text) {
  if (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  if (!text.empty() && text.back() == '\r') text.remove_suffix(1);
  return text;
}

Result<GuardedSlab> from_key_text(ByteView text) {
  auto decoded = text.size() == kRootKeyBytes * 2 ? from_hex(text) : base64_decode(text);
  if (!decoded) return make_error(pst::kBadKeyMaterial, "root key file");
  const Secret bytes(std::move(*decoded));
  if (bytes.size() != kRootKeyBytes) return make_error(pst::kBadKeyMaterial, "root key file");
  GuardedSlab slab(1, kRootKeyBytes);
  slab.store(0, bytes.reveal());
  return slab;
}

bool is_acceptable(const StretchSpec& spec) {
  return spec.salt.size() == kStretchSaltBytes && spec.cost.operations >= kMinStretchOperations &&
         spec.cost.operations <= kMaxStretchOperations &&
         spec.cost.memory_bytes >= kMinStretchMemory && spec.cost.memory_bytes <= kMaxStretchMemory;
}

Result<GuardedSlab> from_passphrase(ByteView passphrase, const StretchSpec& spec) {
  static_assert(kStretchSaltBytes == crypto_pwhash_argon2id_SALTBYTES);
  if (passphrase.size() < kMinPassphraseBytes) {
    return make_error(pst::kBadKeyMaterial, "passphrase is too short");
  }
  if (!is_acceptable(spec)) return make_error(pst::kBadKeyMaterial, "Argon2id cost");
  GuardedSlab slab(1, kRootKeyBytes);
  const int failed = crypto_pwhash_argon2id(
      reinterpret_cast<unsigned char*>(slab.writable_slot(0)), kRootKeyBytes, passphrase.data(),
      passphrase.size(), reinterpret_cast<const unsigned char*>(spec.salt.data()),
      spec.cost.operations, spec.cost.memory_bytes, crypto_pwhash_argon2id_ALG_ARGON2ID13);
  if (failed != 0) return make_error(pst::kCryptoUnavailable, "no memory for Argon2id");
  return slab;
}

}  // namespace

Result<GuardedSlab> load_root_key(const RootKeySource& source, const StretchSpec& stretch) {
  POSTERN_ASSIGN(const Secret content, read_private_file(source.path, kMaxRootFileBytes));
  const ByteView text = without_final_newline(content.reveal());
  auto slab = source.kind == RootKeySource::Kind::kKeyFile ? from_key_text(text)
                                                           : from_passphrase(text, stretch);
  if (slab) slab->freeze();
  return slab;
}

Status create_root_key_file(const std::string& path) {
  POSTERN_TRY(init());
  const Secret key = random_secret(kRootKeyBytes);
  Bytes text = to_hex(key.reveal());
  text.push_back('\n');
  const Secret content(std::move(text));
  return write_new_file(path, content.reveal());
}

}  // namespace postern::crypto
