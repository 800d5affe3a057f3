// What several protocol tests share: SCRAM primitives by OpenSSL, and short ways to write bytes.
#pragma once

#include <string>

#include <doctest/doctest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "protocol/scram_secret.hpp"

namespace postern::protocol::test {

inline const unsigned char* u(ByteView v) {
  return reinterpret_cast<const unsigned char*>(v.data());
}
inline unsigned char* u(char* p) {
  return reinterpret_cast<unsigned char*>(p);
}

inline bool openssl_sha256(ByteView data, char* out) {
  return EVP_Digest(data.data(), data.size(), u(out), nullptr, EVP_sha256(), nullptr) == 1;
}
inline bool openssl_md5(ByteView data, char* out) {
  return EVP_Digest(data.data(), data.size(), u(out), nullptr, EVP_md5(), nullptr) == 1;
}
inline bool openssl_hmac(ByteView key, ByteView data, char* out) {
  return HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), u(data), data.size(), u(out),
              nullptr) != nullptr;
}
inline bool openssl_pbkdf2(ByteView password, ByteView salt, std::uint32_t iterations, char* out) {
  return PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), u(salt),
                           static_cast<int>(salt.size()), static_cast<int>(iterations),
                           EVP_sha256(), 32, u(out)) == 1;
}
inline bool openssl_random(char* out, std::size_t size) {
  return RAND_bytes(u(out), static_cast<int>(size)) == 1;
}
/// Enough for ASCII passwords, which SASLprep leaves alone.
inline bool ascii_saslprep(ByteView password, Bytes& out) {
  for (const char c : password) {
    if (c < 0x20 || c == 0x7F) return false;
  }
  out = password;
  return true;
}

inline constexpr ScramPrimitives kOpenssl = {openssl_sha256, openssl_hmac, openssl_pbkdf2,
                                             openssl_random, ascii_saslprep};

/// Bytes of a literal including embedded zeros, without the final one.
template <std::size_t N>
Bytes lit(const char (&text)[N]) {
  return Bytes(text, N - 1);
}

/// A typed message from its body.
inline Bytes message(char type, ByteView body) {
  Bytes out(1, type);
  append_be32(out, static_cast<std::uint32_t>(body.size() + 4));
  return out.append(body);
}

/// An untyped startup packet from its body.
inline Bytes packet(ByteView body) {
  Bytes out;
  append_be32(out, static_cast<std::uint32_t>(body.size() + 4));
  return out.append(body);
}

inline Bytes be32(std::uint32_t v) {
  Bytes out;
  append_be32(out, v);
  return out;
}

/// The code of a failed result; kInternal, which no decoder returns, where it succeeded.
template <typename T>
Pst code_of(const Result<T>& result) {
  return result ? pst::kInternal : result.error().code;
}

}  // namespace postern::protocol::test
