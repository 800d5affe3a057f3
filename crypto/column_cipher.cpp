#include "crypto/column_cipher.hpp"

#include <sodium.h>

#include "base/check.hpp"
#include "base/codes/crypto.hpp"

namespace postern::crypto {
namespace {

constexpr std::size_t kKeyBytes = crypto_kdf_KEYBYTES;
// One slot holds the encryption subkey and the MAC subkey of one key id.
constexpr std::size_t kSlotBytes = 2 * kKeyBytes;
constexpr std::size_t kSlotsPerSlab = 64;
constexpr std::uint64_t kEncryptionSubkey = 1;
constexpr std::uint64_t kMacSubkey = 2;

Suite suite_of(Scheme scheme) {
  return scheme == Scheme::kRandomized ? Suite::kRandomized : Suite::kDeterministic;
}

KeyPurpose purpose_of(Scheme scheme) {
  return scheme == Scheme::kRandomized ? KeyPurpose::kRandomized : KeyPurpose::kDeterministic;
}

ByteView binding_uuid(const ColumnSpec& spec) {
  return as_bytes(spec.scheme == Scheme::kRandomized ? spec.column : spec.link_group);
}

std::string_view bound_type(const ColumnSpec& spec) {
  return spec.scheme == Scheme::kRandomized ? spec.logical_type : spec.type_family;
}

unsigned char* raw(char* bytes) {
  return reinterpret_cast<unsigned char*>(bytes);
}

const unsigned char* raw(ByteView bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

}  // namespace

/// The one place outside the snapshot that sees a data key.
struct SubkeyDeriver {
  static void derive(const KeyHandle& key, const ColumnSpec& spec, char* slot) {
    const char* context = spec.scheme == Scheme::kRandomized ? "PstnEnc1" : "PstnDet1";
    derive_one(key, {context, kEncryptionSubkey}, binding_uuid(spec), slot);
    if (spec.scheme == Scheme::kDeterministic) {
      derive_one(key, {context, kMacSubkey}, binding_uuid(spec), slot + kKeyBytes);
    }
  }

 private:
  struct Purpose {
    const char* context;
    std::uint64_t id;
  };

  static void derive_one(const KeyHandle& key, Purpose purpose, ByteView uuid, char* out) {
    POSTERN_CHECK(key.key_.size() == kKeyBytes);
    unsigned char step[kKeyBytes];
    crypto_kdf_derive_from_key(step, sizeof step, purpose.id, purpose.context, raw(key.key_));
    crypto_generichash_blake2b(raw(out), kKeyBytes, raw(uuid), uuid.size(), step, sizeof step);
    sodium_memzero(step, sizeof step);
  }
};

ColumnCipher::ColumnCipher(std::shared_ptr<const KeySnapshot> keys, ColumnSpec spec)
    : keys_(std::move(keys)), spec_(std::move(spec)), global_(global_owner()) {
  POSTERN_CHECK(keys_ != nullptr);
}

void ColumnCipher::use(std::shared_ptr<const KeySnapshot> keys) {
  POSTERN_CHECK(keys != nullptr);
  keys_ = std::move(keys);
  cache_.clear();
  slabs_.clear();
}

Result<Bytes> ColumnCipher::encrypt(const TenantId& tenant, ByteView canonical) {
  POSTERN_ASSIGN(const TenantId* owner, effective_owner(tenant));
  POSTERN_ASSIGN(const KeyHandle key, keys_->current_key(*owner, purpose_of(spec_.scheme)));
  return seal_container(context(key), canonical);
}

Result<Secret> ColumnCipher::decrypt(const TenantId& tenant, ByteView container) {
  POSTERN_ASSIGN(const TenantId* owner, effective_owner(tenant));
  POSTERN_ASSIGN(const KeyHandle key, key_of(container));
  if (key.owner() != *owner) return make_error(pst::kKeyOfOtherTenant);
  return open_container(context(key), container);
}

Result<TenantId> ColumnCipher::owner(ByteView container) const {
  POSTERN_ASSIGN(const KeyHandle key, key_of(container));
  return key.owner();
}

Result<const TenantId*> ColumnCipher::effective_owner(const TenantId& tenant) const {
  if (spec_.scope == KeyScope::kGlobal) return &global_;
  // "-" owns the global keys; a column of scope tenant must never fall back to them.
  if (tenant.is_none()) return make_error(pst::kTenantHasNoKey, "no tenant in force");
  return &tenant;
}

Result<KeyHandle> ColumnCipher::key_of(ByteView container) const {
  POSTERN_ASSIGN(const ContainerHeader header, read_header(container));
  if (header.suite != suite_of(spec_.scheme)) return make_error(pst::kSuiteNotAllowed);
  POSTERN_ASSIGN(const KeyHandle key, keys_->key_by_id(header.key_id));
  if (key.purpose() != purpose_of(spec_.scheme)) return make_error(pst::kSuiteNotAllowed);
  return key;
}

ColumnCipher::Cached& ColumnCipher::cached(const KeyHandle& key) {
  const auto found = cache_.find(key.id());
  if (found != cache_.end()) return found->second;
  if (cache_.size() >= kMaxCachedKeys) {
    cache_.clear();
    slabs_.clear();
  }
  const std::size_t slot = cache_.size();
  if (slot / kSlotsPerSlab == slabs_.size()) slabs_.emplace_back(kSlotsPerSlab, kSlotBytes);
  SubkeyDeriver::derive(key, spec_, slabs_.back().writable_slot(slot % kSlotsPerSlab));
  const AadParts parts{{suite_of(spec_.scheme), key.id()},
                       key.owner().text(),
                       binding_uuid(spec_),
                       bound_type(spec_)};
  return cache_.emplace(key.id(), Cached{slot, build_aad(parts)}).first->second;
}

SealContext ColumnCipher::context(const KeyHandle& key) {
  const Cached& entry = cached(key);
  const ByteView keys = slabs_[entry.slot / kSlotsPerSlab].slot(entry.slot % kSlotsPerSlab);
  return {{suite_of(spec_.scheme), key.id()},
          keys.substr(0, kKeyBytes),
          keys.substr(kKeyBytes),
          entry.aad};
}

}  // namespace postern::crypto
