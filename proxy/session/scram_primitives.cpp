#include "proxy/session/scram_primitives.hpp"

#include <cstring>

#include "crypto/hash.hpp"
#include "crypto/init.hpp"
#include "crypto/saslprep.hpp"

namespace postern::proxy {
namespace {

void copy_digest(const crypto::Digest& digest, char* out) {
  std::memcpy(out, digest.raw.data(), digest.raw.size());
}

bool sha256(ByteView data, char* out) {
  copy_digest(crypto::sha256(data), out);
  return true;
}

bool hmac_sha256(ByteView key, ByteView data, char* out) {
  copy_digest(crypto::hmac_sha256(key, data), out);
  return true;
}

bool pbkdf2_sha256(ByteView password, ByteView salt, std::uint32_t iterations, char* out) {
  const Result<Secret> key = crypto::pbkdf2_sha256(password, salt, iterations);
  if (!key) return false;
  std::memcpy(out, key->reveal().data(), key->size());
  return true;
}

bool random_bytes(char* out, std::size_t size) {
  const Bytes bytes = crypto::random_bytes(size);
  std::memcpy(out, bytes.data(), size);
  return true;
}

bool saslprep(ByteView password, Bytes& out) {
  out = Bytes(crypto::saslprep(password).reveal());
  return true;
}

constexpr protocol::ScramPrimitives kPrimitives{sha256, hmac_sha256, pbkdf2_sha256, random_bytes,
                                                saslprep};

}  // namespace

const protocol::ScramPrimitives& scram_primitives() {
  return kPrimitives;
}

bool md5_primitive(ByteView data, char* out) {
  const Result<std::string> hex = crypto::md5_hex(data);
  if (!hex) return false;
  const auto raw = from_hex(*hex);
  if (!raw) return false;
  std::memcpy(out, raw->data(), raw->size());
  return true;
}

}  // namespace postern::proxy
