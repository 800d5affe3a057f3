#include "crypto/container.hpp"

#include <sodium.h>

#include "base/check.hpp"
#include "base/codes/crypto.hpp"
#include "base/secret.hpp"
#include "crypto/aead.hpp"

namespace postern::crypto {
namespace {

constexpr char kMagic[2] = {'\xF5', '\x50'};
constexpr char kVersion = 1;
constexpr std::string_view kAadLabel = "postern/pe1";

bool is_known_suite(char suite) {
  return suite == static_cast<char>(Suite::kRandomized) ||
         suite == static_cast<char>(Suite::kDeterministic);
}

const unsigned char* raw(ByteView bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

// A field as append_aad_field writes it, hashed without copying a large plaintext.
void hash_field(crypto_generichash_blake2b_state& state, ByteView field) {
  char length[4];
  store_be32(length, static_cast<std::uint32_t>(field.size()));
  crypto_generichash_blake2b_update(&state, raw({length, sizeof length}), sizeof length);
  crypto_generichash_blake2b_update(&state, raw(field), field.size());
}

void synthetic_nonce(const SealContext& context, ByteView plaintext, char* nonce) {
  POSTERN_CHECK(context.mac_key.size() == kAeadKeyBytes);
  crypto_generichash_blake2b_state state;
  crypto_generichash_blake2b_init(&state, raw(context.mac_key), context.mac_key.size(),
                                  kAeadNonceBytes);
  hash_field(state, context.aad);
  hash_field(state, plaintext);
  crypto_generichash_blake2b_final(&state, reinterpret_cast<unsigned char*>(nonce),
                                   kAeadNonceBytes);
  sodium_memzero(&state, sizeof state);
}

}  // namespace

bool looks_like_container(ByteView bytes) noexcept {
  return bytes.size() >= kContainerOverhead && bytes.size() <= kMaxContainerBytes &&
         bytes[0] == kMagic[0] && bytes[1] == kMagic[1] && bytes[2] == kVersion &&
         is_known_suite(bytes[3]);
}

Result<ContainerHeader> read_header(ByteView container) {
  if (!looks_like_container(container)) return make_error(pst::kNotAContainer);
  return ContainerHeader{static_cast<Suite>(byte_at(container, 3)),
                         load_be32(container.data() + 4)};
}

void append_header(const ContainerHeader& header, Bytes& out) {
  out.append(kMagic, sizeof kMagic);
  out.push_back(kVersion);
  out.push_back(static_cast<char>(header.suite));
  append_be32(out, header.key_id);
}

void append_aad_field(Bytes& aad, ByteView field) {
  append_be32(aad, static_cast<std::uint32_t>(field.size()));
  aad.append(field);
}

Bytes build_aad(const AadParts& parts) {
  Bytes header;
  append_header(parts.header, header);
  Bytes aad;
  append_aad_field(aad, kAadLabel);
  append_aad_field(aad, header);
  append_aad_field(aad, parts.tenant);
  append_aad_field(aad, parts.binding_uuid);
  append_aad_field(aad, parts.type);
  return aad;
}

Result<Bytes> seal_container(const SealContext& context, ByteView plaintext) {
  if (plaintext.size() > kMaxPlaintextBytes) return make_error(pst::kPlaintextTooLarge);
  char nonce[kAeadNonceBytes];
  if (context.header.suite == Suite::kDeterministic) {
    synthetic_nonce(context, plaintext, nonce);
  } else {
    randombytes_buf(nonce, sizeof nonce);
  }
  Bytes out;
  out.reserve(plaintext.size() + kContainerOverhead);
  append_header(context.header, out);
  out.append(nonce, sizeof nonce);
  aead_seal({context.encryption_key, {nonce, sizeof nonce}, context.aad}, plaintext, out);
  return out;
}

Result<Secret> open_container(const SealContext& context, ByteView container) {
  POSTERN_ASSIGN(const ContainerHeader header, read_header(container));
  if (header != context.header) return make_error(pst::kNotAContainer, "header");
  const ByteView nonce = container.substr(kContainerHeaderBytes, kAeadNonceBytes);
  const ByteView sealed = container.substr(kContainerHeaderBytes + kAeadNonceBytes);
  Bytes bytes;
  POSTERN_TRY(aead_open({context.encryption_key, nonce, context.aad}, sealed, bytes));
  Secret plaintext(std::move(bytes));
  wipe(bytes);  // a short string leaves its bytes behind when moved
  if (header.suite == Suite::kDeterministic) {
    char expected[kAeadNonceBytes];
    synthetic_nonce(context, plaintext.reveal(), expected);
    if (!equal_constant_time(nonce, {expected, sizeof expected})) {
      return make_error(pst::kDecryptFailed);
    }
  }
  return plaintext;
}

}  // namespace postern::crypto
