#include "crypto/hash.hpp"

#include <openssl/evp.h>
#include <sodium.h>

#include "base/check.hpp"
#include "base/codes/crypto.hpp"

namespace postern::crypto {
namespace {

const unsigned char* raw(ByteView bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

unsigned char* raw(Digest& digest) {
  return reinterpret_cast<unsigned char*>(digest.raw.data());
}

// Fetched once: EVP_sha256() would look the provider up at every use.
const EVP_MD* sha256_method() {
  static const EVP_MD* const method = EVP_MD_fetch(nullptr, "SHA2-256", nullptr);
  POSTERN_CHECK(method != nullptr);
  return method;
}

}  // namespace

struct Sha256::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();

  State() { start(); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { EVP_MD_CTX_free(context); }

  void start() {
    POSTERN_CHECK(context != nullptr);
    POSTERN_CHECK(EVP_DigestInit_ex2(context, sha256_method(), nullptr) == 1);
  }
};

Sha256::Sha256() : state_(std::make_unique<State>()) {}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

Sha256& Sha256::update(ByteView part) {
  POSTERN_CHECK(EVP_DigestUpdate(state_->context, part.data(), part.size()) == 1);
  return *this;
}

Digest Sha256::finish() {
  Digest digest;
  POSTERN_CHECK(EVP_DigestFinal_ex(state_->context, raw(digest), nullptr) == 1);
  state_->start();
  return digest;
}

Digest sha256(ByteView message) {
  Digest digest;
  POSTERN_CHECK(EVP_Digest(message.data(), message.size(), raw(digest), nullptr, sha256_method(),
                           nullptr) == 1);
  return digest;
}

Digest hmac_sha256(ByteView key, ByteView message) {
  crypto_auth_hmacsha256_state state;
  crypto_auth_hmacsha256_init(&state, raw(key), key.size());
  crypto_auth_hmacsha256_update(&state, raw(message), message.size());
  Digest digest;
  crypto_auth_hmacsha256_final(&state, raw(digest));
  sodium_memzero(&state, sizeof state);
  return digest;
}

Result<Secret> pbkdf2_sha256(ByteView password, ByteView salt, std::uint32_t iterations) {
  if (iterations == 0 || iterations > kMaxPbkdf2Iterations) {
    return make_error(pst::kBadKeyMaterial, "iteration count");
  }
  Bytes key(32, '\0');
  const int done = PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), raw(salt),
                                     static_cast<int>(salt.size()), static_cast<int>(iterations),
                                     sha256_method(), static_cast<int>(key.size()),
                                     reinterpret_cast<unsigned char*>(key.data()));
  if (done != 1) return make_error(pst::kCryptoUnavailable, "PBKDF2");
  return Secret(std::move(key));
}

Result<std::string> md5_hex(ByteView message) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  if (EVP_Digest(message.data(), message.size(), digest, &size, EVP_md5(), nullptr) != 1) {
    return make_error(pst::kCryptoUnavailable, "MD5 is forbidden on this host");
  }
  return to_hex({reinterpret_cast<const char*>(digest), size});
}

Bytes blake2b(ByteView message, std::size_t size, ByteView key) {
  POSTERN_CHECK(size >= kMinBlake2bBytes && size <= kMaxBlake2bBytes);
  POSTERN_CHECK(key.size() <= kMaxBlake2bBytes);
  Bytes out(size, '\0');
  const int failed = crypto_generichash_blake2b(reinterpret_cast<unsigned char*>(out.data()), size,
                                                raw(message), message.size(), raw(key), key.size());
  POSTERN_CHECK(failed == 0);
  return out;
}

}  // namespace postern::crypto
