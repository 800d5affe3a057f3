#include "crypto/key_snapshot.hpp"

#include "base/bytes.hpp"
#include "base/codes/crypto.hpp"

namespace postern::crypto {
namespace {

constexpr std::size_t kNone = static_cast<std::size_t>(-1);

std::string id_text(KeyId id) {
  char raw[4];
  store_be32(raw, id);
  return to_hex({raw, sizeof raw});
}

}  // namespace

KeySnapshot::KeySnapshot(std::vector<Entry> entries, GuardedSlab slab, std::uint64_t generation)
    : entries_(std::move(entries)), slab_(std::move(slab)), generation_(generation) {
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const Entry& entry = entries_[i];
    by_id_.emplace(entry.id, i);
    Current& current = current_.try_emplace(entry.owner, Current{{kNone, kNone}}).first->second;
    // A shredded tenant's last key stands as its current one, to be reported as shredded.
    if (entry.current || entry.shredded) {
      current.entry[static_cast<std::size_t>(entry.purpose)] = i;
    }
  }
}

Result<KeyHandle> KeySnapshot::current_key(const TenantId& owner, KeyPurpose purpose) const {
  const auto found = current_.find(owner);
  const std::size_t entry =
      found == current_.end() ? kNone : found->second.entry[static_cast<std::size_t>(purpose)];
  if (entry == kNone) return make_error(pst::kTenantHasNoKey, "\"" + owner.text() + "\"");
  return handle(entry);
}

Result<KeyHandle> KeySnapshot::key_by_id(KeyId id) const {
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return make_error(pst::kUnknownKeyId, "key id " + id_text(id));
  return handle(found->second);
}

Result<KeyHandle> KeySnapshot::handle(std::size_t entry) const {
  const Entry& e = entries_[entry];
  if (e.shredded) return make_error(pst::kKeyShredded, "key id " + id_text(e.id));
  KeyHandle handle;
  handle.id_ = e.id;
  handle.purpose_ = e.purpose;
  handle.owner_ = &e.owner;
  handle.key_ = slab_.slot(e.slot);
  return handle;
}

}  // namespace postern::crypto
