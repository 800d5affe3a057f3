// Encryption of one column's values.
//
// Subkeys of a data key (DEK), all of 32 bytes:
//   step 1  K = crypto_kdf(DEK, id, context): "PstnEnc1" id 1 for suite 01; "PstnDet1" id 1 for
//           suite 11's encryption and id 2 for its MAC
//   step 2  subkey = BLAKE2b-256 keyed with K over the column uuid (suite 01) or link group (suite
//   11)
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"
#include "crypto/container.hpp"
#include "crypto/guarded.hpp"
#include "crypto/key_snapshot.hpp"
#include "crypto/uuid.hpp"

namespace postern::crypto {

enum class Scheme : std::uint8_t { kRandomized, kDeterministic };
enum class KeyScope : std::uint8_t { kTenant, kGlobal };

/// How a column is encrypted. Changing anything here makes stored values unreadable.
struct ColumnSpec {
  Uuid column{};
  Uuid link_group{};  ///< the column's own uuid unless declared linked
  Scheme scheme = Scheme::kRandomized;
  KeyScope scope = KeyScope::kTenant;
  std::string logical_type;  ///< types::type_tag, e.g. "int4"; bound by suite 01
  std::string type_family;   ///< types::family_tag, e.g. "integer"; bound by suite 11
};

/// Encrypts and decrypts canonical values of one column. One thread at a time: make one per worker.
/// Subkeys are derived once per key id and kept in guarded memory, so a cell costs no derivation.
class ColumnCipher {
 public:
  /// Subkeys kept; beyond it the cache starts afresh.
  static constexpr std::size_t kMaxCachedKeys = 1024;

  ColumnCipher(std::shared_ptr<const KeySnapshot> keys, ColumnSpec spec);

  /// A container for a non-NULL canonical value. `tenant` is the row's; it is ignored under scope
  /// global and must not be none under scope tenant (kTenantHasNoKey). Also kKeyShredded,
  /// kPlaintextTooLarge. Equal inputs give equal containers under the deterministic scheme only.
  Result<Bytes> encrypt(const TenantId& tenant, ByteView canonical);

  /// The canonical value. kNotAContainer, kSuiteNotAllowed (not this column's scheme),
  /// kUnknownKeyId, kKeyShredded, kKeyOfOtherTenant, kDecryptFailed.
  Result<Secret> decrypt(const TenantId& tenant, ByteView container);

  /// Whose key sealed the container, by its key id, unverified until decrypt(owner, container)
  /// succeeds. For logins without tenant that may decrypt. Errors as decrypt.
  [[nodiscard]] Result<TenantId> owner(ByteView container) const;

  /// Goes over to a new snapshot and forgets all subkeys.
  void use(std::shared_ptr<const KeySnapshot> keys);

  [[nodiscard]] const ColumnSpec& spec() const { return spec_; }

 private:
  struct Cached {
    std::size_t slot = 0;
    Bytes aad;
  };
  Result<const TenantId*> effective_owner(const TenantId& tenant) const;
  Result<KeyHandle> key_of(ByteView container) const;
  Cached& cached(const KeyHandle& key);
  SealContext context(const KeyHandle& key);

  std::shared_ptr<const KeySnapshot> keys_;
  ColumnSpec spec_;
  TenantId global_;
  std::unordered_map<KeyId, Cached> cache_;
  std::vector<GuardedSlab> slabs_;
};

}  // namespace postern::crypto
