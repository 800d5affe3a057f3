#include "crypto/key_store.hpp"

#include <algorithm>
#include <unordered_map>

#include "base/codes/crypto.hpp"
#include "crypto/file_io.hpp"
#include "crypto/hash.hpp"
#include "crypto/init.hpp"
#include "crypto/key_file.hpp"
#include "crypto/key_wrap.hpp"
#include "crypto/root_subkeys.hpp"

namespace postern::crypto {
namespace {

constexpr std::string_view kShreddedWrapping = "-";

Error corrupt(std::string_view what) {
  return make_error(pst::kKeyFileCorrupt, std::string(what));
}

WrapLabel kek_label(const KeyFile& file, const TenantId& tenant) {
  return {as_bytes(file.store), "kek", tenant.text(), 0, {}};
}

WrapLabel dek_label(const KeyFile& file, const KeyRecord& key) {
  return {as_bytes(file.store), "dek", key.tenant.text(), key.id, purpose_name(key.purpose)};
}

// A tenant's KEK lives unwrapped only as long as this slab.
Result<GuardedSlab> unwrap_kek(const KeyFile& file, const RootSubkeys& root,
                               const TenantRecord& tenant) {
  GuardedSlab kek(1, kWrappedKeyBytes);
  if (!unwrap_key(root.wrap(), kek_label(file, tenant.tenant), tenant.wrapped_kek,
                  kek.writable_slot(0))) {
    return corrupt("tenant key of \"" + tenant.tenant.text() + "\"");
  }
  return kek;
}

Status verify(const KeyFile& file, const RootSubkeys& root) {
  if (!equal_constant_time(root.check_value(as_bytes(file.store)), file.root_check)) {
    return make_error(pst::kWrongRootKey);
  }
  if (!equal_constant_time(root.file_mac(body_text(file)), file.mac)) return corrupt("mac");
  return ok();
}

// Unwraps all keys of one tenant into consecutive slots.
Status unwrap_keys(const KeyFile& file, ByteView kek, const std::vector<const KeyRecord*>& keys,
                   std::pair<GuardedSlab&, std::vector<KeySnapshot::Entry>&> into) {
  auto& [slab, entries] = into;
  for (const KeyRecord* key : keys) {
    KeySnapshot::Entry entry{key->id, key->tenant, key->purpose, false, false, entries.size()};
    entry.current = key->state == KeyRecord::State::kCurrent;
    entry.shredded = key->state == KeyRecord::State::kShredded;
    if (!entry.shredded &&
        !unwrap_key(kek, dek_label(file, *key), key->wrapped_dek, slab.writable_slot(entry.slot))) {
      return corrupt("data key of \"" + key->tenant.text() + "\"");
    }
    entries.push_back(std::move(entry));
  }
  return ok();
}

Result<std::shared_ptr<const KeySnapshot>> build_snapshot(const KeyFile& file,
                                                          const RootSubkeys& root) {
  std::unordered_map<TenantId, std::vector<const KeyRecord*>> by_tenant;
  for (const KeyRecord& key : file.keys) by_tenant[key.tenant].push_back(&key);
  GuardedSlab slab(std::max<std::size_t>(file.keys.size(), 1), kWrappedKeyBytes);
  std::vector<KeySnapshot::Entry> entries;
  for (const TenantRecord& tenant : file.tenants) {
    GuardedSlab kek(1, kWrappedKeyBytes);
    if (!tenant.shredded) {
      POSTERN_ASSIGN(kek, unwrap_kek(file, root, tenant));
    }
    POSTERN_TRY(unwrap_keys(file, kek.slot(0), by_tenant[tenant.tenant], {slab, entries}));
  }
  slab.freeze();
  return std::make_shared<const KeySnapshot>(std::move(entries), std::move(slab), file.generation);
}

KeyId fresh_id(const KeyFile& file) {
  while (true) {
    const KeyId id = random_u32();
    const bool taken = std::any_of(file.keys.begin(), file.keys.end(),
                                   [&](const KeyRecord& k) { return k.id == id; });
    if (id != 0 && !taken) return id;
  }
}

void append_new_key(KeyFile& file, ByteView kek, KeyRecord record) {
  record.id = fresh_id(file);
  const Secret key = random_secret(kWrappedKeyBytes);
  record.wrapped_dek = wrap_key(kek, dek_label(file, record), key.reveal());
  file.keys.push_back(std::move(record));
}

void append_new_tenant(KeyFile& file, const RootSubkeys& root, const TenantId& tenant,
                       std::int64_t now) {
  const Secret kek = random_secret(kWrappedKeyBytes);
  file.tenants.push_back(
      {tenant, false, now, wrap_key(root.wrap(), kek_label(file, tenant), kek.reveal())});
  for (const KeyPurpose purpose : {KeyPurpose::kRandomized, KeyPurpose::kDeterministic}) {
    append_new_key(file, kek.reveal(), {0, tenant, purpose, KeyRecord::State::kCurrent, now, {}});
  }
}

// The tenant's record, if it can still be worked with.
Result<TenantRecord*> live_tenant(KeyFile& file, const TenantId& tenant) {
  TenantRecord* record = file.find(tenant);
  const std::string name = "\"" + tenant.text() + "\"";
  if (record == nullptr) return make_error(pst::kTenantHasNoKey, name);
  if (record->shredded) return make_error(pst::kKeyShredded, name);
  return record;
}

std::string signed_text(const KeyFile& file, const RootSubkeys& root) {
  return file_text(file, root.file_mac(body_text(file)));
}

Result<KeyFile> read_store(const std::string& path) {
  POSTERN_ASSIGN(const Secret text, read_private_file(path, kMaxKeyFileBytes));
  return parse_key_file(text.reveal());
}

}  // namespace

KeyStore::KeyStore(Options options, GuardedSlab root, KeyFile file)
    : options_(std::move(options)),
      root_(std::move(root)),
      file_(std::make_unique<KeyFile>(std::move(file))) {}
KeyStore::KeyStore(KeyStore&&) noexcept = default;
KeyStore& KeyStore::operator=(KeyStore&&) noexcept = default;
KeyStore::~KeyStore() = default;

Result<KeyStore> KeyStore::create(const Options& options, std::int64_t now, StretchCost cost) {
  POSTERN_TRY(init());
  KeyFile file;
  file.store = random_uuid();
  file.root = options.root.kind;
  file.stretch = {cost, random_bytes(kStretchSaltBytes)};
  POSTERN_ASSIGN(GuardedSlab root, load_root_key(options.root, file.stretch));
  const RootSubkeys subkeys(root.slot(0));
  file.root_check = subkeys.check_value(as_bytes(file.store));
  append_new_tenant(file, subkeys, global_owner(), now);
  POSTERN_TRY(write_new_file(options.path, signed_text(file, subkeys)));
  return open(options);
}

Result<KeyStore> KeyStore::open(const Options& options) {
  POSTERN_TRY(init());
  POSTERN_ASSIGN(KeyFile file, read_store(options.path));
  if (file.root != options.root.kind) {
    return make_error(pst::kWrongRootKey, "key file and passphrase are exchanged");
  }
  POSTERN_ASSIGN(GuardedSlab root, load_root_key(options.root, file.stretch));
  const RootSubkeys subkeys(root.slot(0));
  POSTERN_TRY(verify(file, subkeys));
  POSTERN_ASSIGN(auto snapshot, build_snapshot(file, subkeys));
  KeyStore store(options, std::move(root), std::move(file));
  store.snapshot_ = std::move(snapshot);
  return store;
}

Result<bool> KeyStore::reload() {
  POSTERN_ASSIGN(KeyFile file, read_store(options_.path));
  if (file.store != file_->store || file.generation < file_->generation) {
    return make_error(pst::kKeyFileRolledBack, "\"" + options_.path + "\"");
  }
  if (file.mac == file_->mac) return false;
  const RootSubkeys subkeys(root_.slot(0));
  POSTERN_TRY(verify(file, subkeys));
  POSTERN_ASSIGN(snapshot_, build_snapshot(file, subkeys));
  *file_ = std::move(file);
  return true;
}

template <typename Change>
Status KeyStore::change(Change&& apply) {
  POSTERN_ASSIGN(const FileLock lock, FileLock::acquire(options_.path + ".lock"));
  POSTERN_TRY(reload());
  KeyFile changed = *file_;
  const RootSubkeys subkeys(root_.slot(0));
  POSTERN_TRY(apply(changed, subkeys));
  ++changed.generation;
  POSTERN_ASSIGN(auto snapshot, build_snapshot(changed, subkeys));
  changed.mac = subkeys.file_mac(body_text(changed));
  POSTERN_TRY(replace_file(options_.path, file_text(changed, changed.mac)));
  *file_ = std::move(changed);
  snapshot_ = std::move(snapshot);
  return ok();
}

Status KeyStore::add_tenants(std::span<const TenantId> tenants, std::int64_t now) {
  return change([&](KeyFile& file, const RootSubkeys& root) -> Status {
    for (const TenantId& tenant : tenants) {
      const TenantRecord* present = file.find(tenant);
      if (present != nullptr) {
        return make_error(present->shredded ? pst::kKeyShredded : pst::kTenantExists,
                          "\"" + tenant.text() + "\"");
      }
      append_new_tenant(file, root, tenant, now);
    }
    return ok();
  });
}

Result<KeyId> KeyStore::rotate_tenant(const TenantId& tenant, std::int64_t now) {
  const auto rotate = [&](KeyFile& file, const RootSubkeys& root) -> Status {
    POSTERN_ASSIGN(const TenantRecord* record, live_tenant(file, tenant));
    POSTERN_ASSIGN(const GuardedSlab kek, unwrap_kek(file, root, *record));
    for (KeyRecord& key : file.keys) {
      const bool replaced = key.tenant == tenant && key.purpose == KeyPurpose::kRandomized;
      if (replaced) key.state = KeyRecord::State::kOld;
    }
    append_new_key(file, kek.slot(0),
                   {0, tenant, KeyPurpose::kRandomized, KeyRecord::State::kCurrent, now, {}});
    return ok();
  };
  POSTERN_TRY(change(rotate));
  return file_->keys.back().id;
}

Status KeyStore::shred_tenant(const TenantId& tenant) {
  return change([&](KeyFile& file, const RootSubkeys&) -> Status {
    if (tenant == global_owner()) {
      return make_error(pst::kTenantHasNoKey, "the global scope is not shredded");
    }
    POSTERN_ASSIGN(TenantRecord * record, live_tenant(file, tenant));
    record->shredded = true;
    record->wrapped_kek = kShreddedWrapping;
    for (KeyRecord& key : file.keys) {
      if (key.tenant != tenant) continue;
      key.state = KeyRecord::State::kShredded;
      key.wrapped_dek = kShreddedWrapping;
    }
    return ok();
  });
}

std::vector<TenantInfo> KeyStore::list() const {
  std::vector<TenantInfo> out;
  std::unordered_map<TenantId, std::size_t> place;
  for (const TenantRecord& t : file_->tenants) {
    place.emplace(t.tenant, out.size());
    out.push_back({t.tenant, t.shredded, t.created, {}});
  }
  for (const KeyRecord& k : file_->keys) {
    out[place.at(k.tenant)].keys.push_back(
        {k.id, k.purpose, static_cast<KeyInfo::State>(k.state), k.created});
  }
  return out;
}

}  // namespace postern::crypto
