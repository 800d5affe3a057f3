// The root key (KEK) that wraps all tenants' keys, and how it is read from files.
#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "crypto/guarded.hpp"

namespace postern::crypto {

/// Where the root key comes from. Both files must be regular files without any permission for group
/// and others (0600 or 0400), at most kMaxRootFileBytes long.
struct RootKeySource {
  enum class Kind : std::uint8_t {
    kKeyFile,         ///< 32 bytes as 64 hexadecimal digits or as base64, optional final newline
    kPassphraseFile,  ///< any bytes, one final newline removed; stretched with Argon2id
  };
  Kind kind = Kind::kKeyFile;
  std::string path;
};
inline constexpr std::size_t kMaxRootFileBytes = 4096;
inline constexpr std::size_t kRootKeyBytes = 32;
inline constexpr std::size_t kMinPassphraseBytes = 8;

/// Argon2id cost, stored in the key store. Defaults: libsodium's "moderate" (about 1 s, 256 MiB).
struct StretchCost {
  std::uint64_t operations = 3;
  std::uint64_t memory_bytes = 268435456;
};
/// Bounds on a stored cost, so that a forged file cannot exhaust the host.
inline constexpr std::uint64_t kMinStretchOperations = 1;
inline constexpr std::uint64_t kMaxStretchOperations = 16;
inline constexpr std::uint64_t kMinStretchMemory = 8192;
inline constexpr std::uint64_t kMaxStretchMemory = std::uint64_t{1} << 30;
inline constexpr std::size_t kStretchSaltBytes = 16;

struct StretchSpec {
  StretchCost cost;
  Bytes salt;  ///< kStretchSaltBytes
};

/// The 32 bytes of the root key in guarded memory. `stretch` is used for passphrases only.
/// Errors of read_private_file (crypto/file_io.hpp); kBadKeyMaterial where the content has the
/// wrong form.
Result<GuardedSlab> load_root_key(const RootKeySource& source, const StretchSpec& stretch);

/// Creates a new root key file (64 hexadecimal digits, mode 0600), durably; kKeyFileExists where
/// the path exists already, kKeyStoreWrite where it cannot be written.
Status create_root_key_file(const std::string& path);

}  // namespace postern::crypto
