#include "crypto/context_mac.hpp"

#include "crypto/hash.hpp"
#include "crypto/init.hpp"

namespace postern::crypto {
namespace {

Secret xor_block(ByteView key, char pad) {
  Bytes block(kMacBlockBytes, '\0');
  block.replace(0, key.size(), key);
  for (char& c : block) c = static_cast<char>(c ^ pad);
  return Secret(std::move(block));
}

}  // namespace

Secret generate_guard_key() {
  return random_secret(kGuardKeyBytes);
}

std::string context_mac_hex(ByteView key, ByteView message) {
  return to_hex(hmac_sha256(key, message).view());
}

MacKeyBlocks mac_key_blocks(ByteView key) {
  // RFC 2104: a key longer than the block is hashed first.
  const Digest hashed = key.size() > kMacBlockBytes ? sha256(key) : Digest{};
  const ByteView effective = key.size() > kMacBlockBytes ? hashed.view() : key;
  return {xor_block(effective, 0x36), xor_block(effective, 0x5C)};
}

}  // namespace postern::crypto
