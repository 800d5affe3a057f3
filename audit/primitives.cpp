#include "audit/primitives.hpp"

#include <cstring>
#include <utility>

#include "base/check.hpp"
#include "crypto/base64.hpp"
#include "crypto/hash.hpp"
#include "crypto/init.hpp"
#include "crypto/sign.hpp"

namespace postern::audit {

std::string hex_of(const Hash& hash) {
  return to_hex(bytes_of(hash));
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
  // Making a context costs more than hashing a record, so each thread keeps one.
  thread_local crypto::Sha256 digest;
  for (const ByteView part : parts) digest.update(part);
  const crypto::Digest result = digest.finish();
  Hash out;
  std::memcpy(out.data(), result.raw.data(), out.size());
  return out;
}

SigningKey signing_key_from_seed(ByteView seed) {
  auto key = crypto::SigningKey::from_seed(seed);
  POSTERN_CHECK(key.has_value());
  return {Secret(Bytes(seed)), key->public_key()};
}

Bytes sign(const SigningKey& key, ByteView message) {
  const auto pair = crypto::SigningKey::from_seed(key.secret.reveal());
  POSTERN_CHECK(pair.has_value());
  return pair->sign(message);
}

bool verify_signature(ByteView public_key, ByteView message, ByteView signature) {
  return crypto::verify_signature(public_key, message, signature);
}

std::string base64_encode(ByteView bytes) {
  return crypto::base64_encode(bytes);
}

std::optional<Bytes> base64_decode(std::string_view text) {
  return crypto::base64_decode(text);
}

Bytes random_bytes(std::size_t count) {
  return crypto::random_bytes(count);
}

}  // namespace postern::audit
