// Wrapping of keys under keys, as the key store file holds them.
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "crypto/container.hpp"

namespace postern::crypto {

inline constexpr std::size_t kWrappedKeyBytes = 32;

/// What a wrapped key is, bound as additional data. Views must outlive the call.
struct WrapLabel {
  ByteView store;         ///< uuid of the key store
  std::string_view kind;  ///< "kek" or "dek"
  std::string_view tenant;
  KeyId key_id = 0;          ///< 0 for a KEK
  std::string_view purpose;  ///< empty for a KEK
};

/// Base64 of nonce, ciphertext and tag; both keys of 32 bytes.
std::string wrap_key(ByteView wrapping_key, const WrapLabel& label, ByteView key);

/// Writes the 32 bytes to `out`. kDecryptFailed where label, key or text differ.
Status unwrap_key(ByteView wrapping_key, const WrapLabel& label, std::string_view wrapped,
                  char* out);

}  // namespace postern::crypto
