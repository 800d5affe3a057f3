#include "crypto/jws.hpp"

#include <array>
#include <utility>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include "crypto/base64.hpp"
#include "crypto/hash.hpp"

namespace postern::crypto {
namespace {

constexpr std::size_t kEd25519Key = 32;
constexpr std::size_t kEd25519Signature = 64;
constexpr std::size_t kP256Part = 32;

template <auto Free>
struct FreeWith {
  template <typename T>
  void operator()(T* p) const {
    Free(p);
  }
};
template <typename T, auto Free>
using Owned = std::unique_ptr<T, FreeWith<Free>>;
using Number = Owned<BIGNUM, BN_free>;
using Builder = Owned<OSSL_PARAM_BLD, OSSL_PARAM_BLD_free>;
using Params = Owned<OSSL_PARAM, OSSL_PARAM_free>;
using KeyContext = Owned<EVP_PKEY_CTX, EVP_PKEY_CTX_free>;
using DigestContext = Owned<EVP_MD_CTX, EVP_MD_CTX_free>;
using Signature = Owned<ECDSA_SIG, ECDSA_SIG_free>;

const unsigned char* raw(ByteView bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

Number number(ByteView bytes) {
  return Number(BN_bin2bn(raw(bytes), static_cast<int>(bytes.size()), nullptr));
}

std::shared_ptr<EVP_PKEY> from_params(const char* type, OSSL_PARAM_BLD* builder) {
  const Params params(OSSL_PARAM_BLD_to_param(builder));
  const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* key = nullptr;
  if (params == nullptr || context == nullptr || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get()) != 1) {
    return nullptr;
  }
  std::shared_ptr<EVP_PKEY> owned(key, EVP_PKEY_free);
  const KeyContext check(EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr));
  if (check == nullptr || EVP_PKEY_public_check(check.get()) != 1) return nullptr;
  return owned;
}

// r and s side by side (RFC 7518 section 3.4) to the form that OpenSSL verifies.
Bytes to_der(ByteView signature) {
  if (signature.size() != 2 * kP256Part) return {};
  Number r = number(signature.substr(0, kP256Part));
  Number s = number(signature.substr(kP256Part));
  const Signature both(ECDSA_SIG_new());
  if (both == nullptr || r == nullptr || s == nullptr) return {};
  if (ECDSA_SIG_set0(both.get(), r.get(), s.get()) != 1) return {};
  (void)r.release();
  (void)s.release();
  unsigned char* der = nullptr;
  const int size = i2d_ECDSA_SIG(both.get(), &der);
  if (size <= 0) return {};
  Bytes out(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return out;
}

bool verify_with(EVP_PKEY* key, const EVP_MD* digest, ByteView message, ByteView signature) {
  const DigestContext context(EVP_MD_CTX_new());
  return context != nullptr && !signature.empty() &&
         EVP_DigestVerifyInit(context.get(), nullptr, digest, nullptr, key) == 1 &&
         EVP_DigestVerify(context.get(), raw(signature), signature.size(), raw(message),
                          message.size()) == 1;
}

}  // namespace

std::optional<JwsAlgorithm> jws_algorithm(std::string_view name) {
  constexpr std::array<std::string_view, 4> kNames = {"EdDSA", "ES256", "RS256", "HS256"};
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<JwsAlgorithm>(i);
  }
  return std::nullopt;
}

std::optional<Bytes> base64url_decode(std::string_view text) {
  std::string standard(text);
  for (char& c : standard) {
    if (c == '+' || c == '/' || c == '=') return std::nullopt;
    if (c == '-') c = '+';
    if (c == '_') c = '/';
  }
  constexpr std::size_t kGroup = 4;
  while (standard.size() % kGroup != 0) standard.push_back('=');
  return base64_decode(standard);
}

std::optional<JwsKey> JwsKey::ed25519(ByteView x) {
  if (x.size() != kEd25519Key) return std::nullopt;
  Pkey key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, raw(x), x.size()), EVP_PKEY_free);
  if (key == nullptr) return std::nullopt;
  return JwsKey(JwsAlgorithm::kEdDsa, std::move(key));
}

std::optional<JwsKey> JwsKey::p256(ByteView x, ByteView y) {
  if (x.size() != kP256Part || y.size() != kP256Part) return std::nullopt;
  Bytes point("\x04");  // uncompressed (SEC 1 section 2.3.3)
  point.append(x).append(y);
  const Builder builder(OSSL_PARAM_BLD_new());
  if (builder == nullptr ||
      OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) !=
          1 ||
      OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                       point.size()) != 1) {
    return std::nullopt;
  }
  Pkey key = from_params("EC", builder.get());
  if (key == nullptr) return std::nullopt;
  return JwsKey(JwsAlgorithm::kEs256, std::move(key));
}

std::optional<JwsKey> JwsKey::rsa(ByteView n, ByteView e) {
  constexpr std::size_t kByte = 8;
  if (n.size() > kMostRsaBits / kByte || e.size() > kByte) return std::nullopt;
  const Number modulus = number(n);
  const Number exponent = number(e);
  const Builder builder(OSSL_PARAM_BLD_new());
  if (modulus == nullptr || exponent == nullptr || builder == nullptr) return std::nullopt;
  if (static_cast<std::size_t>(BN_num_bits(modulus.get())) < kLeastRsaBits) return std::nullopt;
  if (BN_is_odd(exponent.get()) == 0 || BN_is_one(exponent.get()) == 1) return std::nullopt;
  if (OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get()) != 1) {
    return std::nullopt;
  }
  Pkey key = from_params("RSA", builder.get());
  if (key == nullptr) return std::nullopt;
  return JwsKey(JwsAlgorithm::kRs256, std::move(key));
}

std::optional<JwsKey> JwsKey::hmac(ByteView secret) {
  if (secret.size() < kLeastSecret) return std::nullopt;
  return JwsKey(JwsAlgorithm::kHs256, std::make_shared<const Secret>(Bytes(secret)));
}

bool JwsKey::verifies(ByteView message, ByteView signature) const {
  if (const auto* secret = std::get_if<std::shared_ptr<const Secret>>(&key_)) {
    const auto mac = hmac_sha256((*secret)->reveal(), message);
    return equal_constant_time(mac.view(), signature);
  }
  EVP_PKEY* key = std::get<Pkey>(key_).get();
  switch (algorithm_) {
    case JwsAlgorithm::kEdDsa:
      return signature.size() == kEd25519Signature && verify_with(key, nullptr, message, signature);
    case JwsAlgorithm::kEs256:
      return verify_with(key, EVP_sha256(), message, to_der(signature));
    case JwsAlgorithm::kRs256:
      return verify_with(key, EVP_sha256(), message, signature);
    case JwsAlgorithm::kHs256:
      break;
  }
  return false;
}

}  // namespace postern::crypto
