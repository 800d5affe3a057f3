#include "proxy/session/scram_primitives.hpp"

#include <cstring>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

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

/// By password, salt and iterations, under a hash that is worth nothing outside of this process.
class DerivedKeys {
 public:
  std::optional<Secret> find(const std::string& name) {
    const std::lock_guard lock(mutex_);
    const auto it = keys_.find(name);
    if (it == keys_.end()) return std::nullopt;
    return it->second.clone();
  }
  void keep(const std::string& name, Secret key) {
    const std::lock_guard lock(mutex_);
    if (keys_.size() >= kMost) keys_.clear();
    keys_.insert_or_assign(name, std::move(key));
  }
  [[nodiscard]] std::string name_of(ByteView password, ByteView salt, std::uint32_t iterations) {
    Secret text(Bytes(std::to_string(iterations) + ":" + std::to_string(salt.size()) + ":") +
                Bytes(salt) + Bytes(password));
    return std::string(crypto::hmac_sha256(naming_.reveal(), text.reveal()).bytes());
  }

 private:
  static constexpr std::size_t kMost = 256;
  const Secret naming_{crypto::random_bytes(32)};
  std::mutex mutex_;
  std::unordered_map<std::string, Secret> keys_;
};

bool remembered_pbkdf2(ByteView password, ByteView salt, std::uint32_t iterations, char* out) {
  static DerivedKeys known;
  const std::string name = known.name_of(password, salt, iterations);
  std::optional<Secret> key = known.find(name);
  if (!key) {
    Result<Secret> derived = crypto::pbkdf2_sha256(password, salt, iterations);
    if (!derived) return false;
    key = std::move(*derived);
    known.keep(name, key->clone());
  }
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
constexpr protocol::ScramPrimitives kRemembering{sha256, hmac_sha256, remembered_pbkdf2,
                                                 random_bytes, saslprep};

}  // namespace

const protocol::ScramPrimitives& scram_primitives() {
  return kPrimitives;
}

const protocol::ScramPrimitives& remembering_scram_primitives() {
  return kRemembering;
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
