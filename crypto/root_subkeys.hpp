// What the root key is used for, each under a subkey of its own.
#pragma once

#include <string>

#include "base/bytes.hpp"
#include "crypto/guarded.hpp"

namespace postern::crypto {

/// crypto_kdf subkeys of the root key, context "PstnRoot": 1 wraps tenant keys, 2 makes the check
/// value, 3 authenticates the file.
class RootSubkeys {
 public:
  /// `root` of 32 bytes, not kept.
  explicit RootSubkeys(ByteView root);

  /// View valid as long as this object lives.
  [[nodiscard]] ByteView wrap() const { return keys_.slot(0); }
  /// Differs for every root key and store; hexadecimal.
  [[nodiscard]] std::string check_value(ByteView store) const;
  /// Keyed BLAKE2b-256 of the file's body; hexadecimal.
  [[nodiscard]] std::string file_mac(ByteView body) const;

 private:
  GuardedSlab keys_;
};

}  // namespace postern::crypto
