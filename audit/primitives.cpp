#include "audit/primitives.hpp"

#include <cstring>

#include <openssl/evp.h>
#include <sodium.h>

#include "base/check.hpp"

namespace postern::audit {
namespace {

void ensure_sodium() {
  static const bool ready = sodium_init() >= 0;
  POSTERN_CHECK(ready);
}

// Fetching an algorithm and making a context cost more than hashing a record, so both are kept.
struct DigestContext {
  DigestContext() : md(EVP_MD_fetch(nullptr, "SHA256", nullptr)), context(EVP_MD_CTX_new()) {
    POSTERN_CHECK(md != nullptr && context != nullptr);
  }
  ~DigestContext() {
    EVP_MD_CTX_free(context);
    EVP_MD_free(md);
  }
  DigestContext(const DigestContext&) = delete;
  DigestContext& operator=(const DigestContext&) = delete;

  EVP_MD* md;
  EVP_MD_CTX* context;
};

const unsigned char* raw(ByteView bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

}  // namespace

std::string hex_of(const Hash& hash) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out(hash.size() * 2, '\0');
  for (std::size_t i = 0; i < hash.size(); ++i) {
    out[2 * i] = kDigits[hash[i] >> 4];
    out[2 * i + 1] = kDigits[hash[i] & 15];
  }
  return out;
}

std::optional<Hash> hash_from_hex(std::string_view hex) {
  Hash hash;
  if (hex.size() != hash.size() * 2) return std::nullopt;
  const auto bytes = from_hex(hex);
  if (!bytes || to_hex(*bytes) != hex) return std::nullopt;
  std::memcpy(hash.data(), bytes->data(), hash.size());
  return hash;
}

Hash sha256(std::initializer_list<ByteView> parts) {
  thread_local DigestContext digest;
  Hash out;
  bool good = EVP_DigestInit_ex2(digest.context, digest.md, nullptr) == 1;
  for (const ByteView part : parts) {
    good = good && EVP_DigestUpdate(digest.context, part.data(), part.size()) == 1;
  }
  good = good && EVP_DigestFinal_ex(digest.context, out.data(), nullptr) == 1;
  POSTERN_CHECK(good);
  return out;
}

SigningKey signing_key_from_seed(ByteView seed) {
  ensure_sodium();
  POSTERN_CHECK(seed.size() == kSeedBytes);
  Bytes secret(crypto_sign_SECRETKEYBYTES, '\0');
  Bytes public_key(kPublicKeyBytes, '\0');
  const int failed =
      crypto_sign_seed_keypair(reinterpret_cast<unsigned char*>(public_key.data()),
                               reinterpret_cast<unsigned char*>(secret.data()), raw(seed));
  POSTERN_CHECK(failed == 0);
  return {Secret(std::move(secret)), std::move(public_key)};
}

Bytes sign(const SigningKey& key, ByteView message) {
  ensure_sodium();
  Bytes signature(kSignatureBytes, '\0');
  const int failed =
      crypto_sign_detached(reinterpret_cast<unsigned char*>(signature.data()), nullptr,
                           raw(message), message.size(), raw(key.secret.reveal()));
  POSTERN_CHECK(failed == 0);
  return signature;
}

bool verify_signature(ByteView public_key, ByteView message, ByteView signature) {
  ensure_sodium();
  if (public_key.size() != kPublicKeyBytes || signature.size() != kSignatureBytes) return false;
  return crypto_sign_verify_detached(raw(signature), raw(message), message.size(),
                                     raw(public_key)) == 0;
}

std::string base64_encode(ByteView bytes) {
  ensure_sodium();
  std::string out(sodium_base64_encoded_len(bytes.size(), sodium_base64_VARIANT_ORIGINAL), '\0');
  sodium_bin2base64(out.data(), out.size(), raw(bytes), bytes.size(),
                    sodium_base64_VARIANT_ORIGINAL);
  out.pop_back();  // libsodium counts the terminating zero
  return out;
}

std::optional<Bytes> base64_decode(std::string_view text) {
  ensure_sodium();
  Bytes out(text.size(), '\0');
  std::size_t size = 0;
  const char* end = nullptr;
  const int failed =
      sodium_base642bin(reinterpret_cast<unsigned char*>(out.data()), out.size(), text.data(),
                        text.size(), nullptr, &size, &end, sodium_base64_VARIANT_ORIGINAL);
  if (failed != 0 || end != text.data() + text.size()) return std::nullopt;
  out.resize(size);
  if (base64_encode(out) != text) return std::nullopt;
  return out;
}

Bytes random_bytes(std::size_t count) {
  ensure_sodium();
  Bytes out(count, '\0');
  randombytes_buf(out.data(), out.size());
  return out;
}

}  // namespace postern::audit
