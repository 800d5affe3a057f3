#include "proxy/peers/routed_key.hpp"

#include "crypto/hash.hpp"
#include "crypto/init.hpp"

namespace postern::proxy {
namespace {

constexpr char kVersion = 1;
constexpr std::size_t kHeadBytes = 3;
constexpr std::size_t kMacBytes = 13;
constexpr std::size_t kRandomBytes = 16;
static_assert(kHeadBytes + kMacBytes + kRandomBytes == RoutedKeys::kBytes);

}  // namespace

RoutedKeys::RoutedKeys(std::uint16_t instance, const Secret& shared)
    : instance_(instance),
      mac_key_(crypto::hmac_sha256(shared.reveal(), "postern cancel keys 1").bytes()) {}

Bytes RoutedKeys::mac(std::uint32_t process_id, ByteView head, ByteView random) const {
  Bytes message(head);
  append_be32(message, process_id);
  message += random;
  Bytes tag = crypto::hmac_sha256(mac_key_.reveal(), message).bytes();
  tag.resize(kMacBytes);
  return tag;
}

Bytes RoutedKeys::make(std::uint32_t process_id) const {
  Bytes head(1, kVersion);
  append_be16(head, instance_);
  const Bytes random = crypto::random_bytes(kRandomBytes);
  return head + mac(process_id, head, random) + random;
}

std::optional<std::uint16_t> RoutedKeys::issuer(std::uint32_t process_id, ByteView key) const {
  if (key.size() != kBytes || key.front() != kVersion) return std::nullopt;
  const ByteView head = key.substr(0, kHeadBytes);
  const ByteView tag = key.substr(kHeadBytes, kMacBytes);
  const ByteView random = key.substr(kHeadBytes + kMacBytes);
  if (!equal_constant_time(mac(process_id, head, random), tag)) return std::nullopt;
  return load_be16(head.data() + 1);
}

}  // namespace postern::proxy
