// The key store file: tenants' wrapped keys under one root key, changed by atomic replacement.
//
// A text file (mode 0600), one record a line, fields separated by one space:
//
//   postern-keys 1                                              format version
//   store UUID                                                  random; bound into every wrapping
//   generation N                                                grows with every change
//   root key-file                                               or:
//   root passphrase OPERATIONS MEMORY SALT-HEX                  Argon2id
//   root-check HEX                                              tells a wrong root key from damage
//   tenant NAME STATE CREATED WRAPPED-KEK                       state active | shredded
//   key ID-HEX NAME PURPOSE STATE CREATED WRAPPED-DEK           state current | old | shredded
//   mac HEX                                                     keyed BLAKE2b-256 of all above
//   sum HEX                                                     SHA-256 of all above, shows damage
//
// CREATED is seconds since 1970. A wrapping is base64 of nonce, ciphertext and tag
// (XChaCha20-Poly1305), its additional data names store, kind, tenant, key id and purpose; shredded
// ones are "-". Tenant "-" owns the keys of scope `global`. Root subkeys for wrapping, check and
// mac come from crypto_kdf (context "PstnRoot", ids 1 to 3). Reading is strict: exactly the text
// this program would write is accepted. Restoring an old copy of the whole file cannot be detected
// at start; a running process refuses a generation that went back.
//
// Shredding removes the wrappings from the file. Old blocks of the disk and backups of the file are
// outside: they must expire within the promised window.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "crypto/key_snapshot.hpp"
#include "crypto/root_key.hpp"
#include "crypto/uuid.hpp"

namespace postern::crypto {

struct KeyFile;  // crypto/key_file.hpp

/// What `keys tenant list` shows of one key. No key material.
struct KeyInfo {
  KeyId id = 0;
  KeyPurpose purpose = KeyPurpose::kRandomized;
  enum class State : std::uint8_t { kCurrent, kOld, kShredded } state = State::kCurrent;
  std::int64_t created = 0;  ///< seconds since 1970
};
struct TenantInfo {
  TenantId tenant;  ///< "-" is the global scope
  bool shredded = false;
  std::int64_t created = 0;
  std::vector<KeyInfo> keys;
};

inline constexpr std::size_t kMaxKeyFileBytes = 64 * 1024 * 1024;  // about 120,000 tenants

/// An open key store. One thread at a time; the snapshots it hands out are for all threads. Changes
/// take a lock on PATH.lock and start from the file's present content, so several processes may
/// change one store. Errors of every operation: kKeyFileUnreadable, kKeyFilePermissions,
/// kKeyFileCorrupt, kWrongRootKey, kBadKeyMaterial, kKeyStoreWrite.
class KeyStore {
 public:
  struct Options {
    std::string path;
    RootKeySource root;
  };

  /// Creates the file with the global scope's keys; kKeyFileExists where the path exists.
  /// `now` in seconds since 1970; `cost` is used for passphrases.
  static Result<KeyStore> create(const Options& options, std::int64_t now, StretchCost cost = {});
  /// Reads and verifies the file. Argon2id takes its time here for a passphrase root.
  static Result<KeyStore> open(const Options& options);

  KeyStore(KeyStore&&) noexcept;
  KeyStore& operator=(KeyStore&&) noexcept;
  ~KeyStore();

  /// All or none, in one write. kTenantExists where a tenant has keys, kKeyShredded where it was
  /// shredded: names of shredded tenants are not used again.
  Status add_tenants(std::span<const TenantId> tenants, std::int64_t now);
  Status add_tenant(const TenantId& tenant, std::int64_t now) {
    return add_tenants({&tenant, 1}, now);
  }
  /// A new randomized key becomes current, the old one still decrypts; the deterministic key stays.
  /// Returns the new id. kTenantHasNoKey, kKeyShredded. TenantId::none() rotates the global scope.
  Result<KeyId> rotate_tenant(const TenantId& tenant, std::int64_t now);
  /// Destroys the tenant's keys for ever. kTenantHasNoKey, kKeyShredded; the global scope cannot be
  /// shredded (kTenantHasNoKey).
  Status shred_tenant(const TenantId& tenant);

  /// In order of creation; the global scope first.
  [[nodiscard]] std::vector<TenantInfo> list() const;
  /// The keys as of the last open, change or reload.
  [[nodiscard]] std::shared_ptr<const KeySnapshot> snapshot() const { return snapshot_; }
  /// Reads the file again (after kUnknownKeyId, or periodically). True where it has changed and
  /// snapshot() is a new one. On error the old snapshot stays. kKeyFileRolledBack where the
  /// generation went back or the store id differs.
  Result<bool> reload();

 private:
  KeyStore(Options options, GuardedSlab root, KeyFile file);
  template <typename Change>
  Status change(Change&& apply);

  Options options_;
  GuardedSlab root_;
  std::unique_ptr<KeyFile> file_;
  std::shared_ptr<const KeySnapshot> snapshot_;
};

}  // namespace postern::crypto
