// An immutable view of all live data keys.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "crypto/container.hpp"
#include "crypto/guarded.hpp"

namespace postern::crypto {

/// Keys of the two schemes are separate: rotating a tenant's randomized key must not change how
/// deterministic columns encrypt, or equality would break.
enum class KeyPurpose : std::uint8_t { kRandomized, kDeterministic };

/// The owner of keys of scope `global`: the reserved tenant "-".
inline TenantId global_owner() {
  return TenantId::none();
}

/// One usable data key. Copyable, holds no key bytes; valid as long as its snapshot lives.
class KeyHandle {
 public:
  [[nodiscard]] KeyId id() const { return id_; }
  [[nodiscard]] const TenantId& owner() const { return *owner_; }
  [[nodiscard]] KeyPurpose purpose() const { return purpose_; }

 private:
  friend class KeySnapshot;
  friend struct SubkeyDeriver;
  KeyId id_ = 0;
  KeyPurpose purpose_ = KeyPurpose::kRandomized;
  const TenantId* owner_ = nullptr;
  ByteView key_;
};

/// All live keys of a store in one frozen, locked slab. Immutable: any number of threads may read.
class KeySnapshot {
 public:
  struct Entry {
    KeyId id = 0;
    TenantId owner;
    KeyPurpose purpose = KeyPurpose::kRandomized;
    bool current = false;
    bool shredded = false;
    std::size_t slot = 0;  ///< in the slab, unless shredded
  };
  KeySnapshot(std::vector<Entry> entries, GuardedSlab slab, std::uint64_t generation);

  /// The key new values are written under. kTenantHasNoKey, or kKeyShredded.
  [[nodiscard]] Result<KeyHandle> current_key(const TenantId& owner, KeyPurpose purpose) const;
  /// The key a stored value names. kUnknownKeyId (reload the store once, then fail) or
  /// kKeyShredded.
  [[nodiscard]] Result<KeyHandle> key_by_id(KeyId id) const;

  /// Grows with every change of the store.
  [[nodiscard]] std::uint64_t generation() const { return generation_; }

 private:
  struct Current {
    std::size_t entry[2];  // by purpose; kNone where absent
  };
  [[nodiscard]] Result<KeyHandle> handle(std::size_t entry) const;

  std::vector<Entry> entries_;
  GuardedSlab slab_;
  std::uint64_t generation_;
  std::unordered_map<KeyId, std::size_t> by_id_;
  std::unordered_map<TenantId, Current> current_;
};

}  // namespace postern::crypto
