#include "crypto/root_subkeys.hpp"

#include <sodium.h>

#include "base/check.hpp"
#include "crypto/hash.hpp"

namespace postern::crypto {
namespace {

constexpr char kContext[] = "PstnRoot";
constexpr std::size_t kUses = 3;
constexpr std::size_t kKeyBytes = crypto_kdf_KEYBYTES;

}  // namespace

RootSubkeys::RootSubkeys(ByteView root) : keys_(kUses, kKeyBytes) {
  POSTERN_CHECK(root.size() == kKeyBytes);
  for (std::size_t use = 0; use < kUses; ++use) {
    crypto_kdf_derive_from_key(reinterpret_cast<unsigned char*>(keys_.writable_slot(use)),
                               kKeyBytes, use + 1, kContext,
                               reinterpret_cast<const unsigned char*>(root.data()));
  }
  keys_.freeze();
}

std::string RootSubkeys::check_value(ByteView store) const {
  return to_hex(blake2b(store, 32, keys_.slot(1)));
}

std::string RootSubkeys::file_mac(ByteView body) const {
  return to_hex(blake2b(body, 32, keys_.slot(2)));
}

}  // namespace postern::crypto
