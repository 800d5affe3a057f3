#include "proxy/runtime/key_service.hpp"

#include <algorithm>
#include <utility>

#include "base/bytes.hpp"
#include "base/codes/crypto.hpp"

namespace postern::proxy {
namespace {

// Rulesets hold 32 bare digits.
Result<crypto::Uuid> uuid_of(const std::string& digits) {
  const auto bytes = from_hex(digits);
  crypto::Uuid uuid{};
  if (!bytes || bytes->size() != uuid.size()) return make_error(pst::kBadUuid);
  std::copy(bytes->begin(), bytes->end(), uuid.begin());
  return uuid;
}

Result<crypto::ColumnSpec> spec_of(const policy::ProtectedColumn& column) {
  crypto::ColumnSpec spec;
  POSTERN_ASSIGN(spec.column, uuid_of(column.uuid));
  POSTERN_ASSIGN(spec.link_group, uuid_of(column.link_group));
  spec.scheme = column.scheme == policy::Scheme::kDeterministic ? crypto::Scheme::kDeterministic
                                                                : crypto::Scheme::kRandomized;
  spec.scope = column.scope == policy::KeyScope::kGlobal ? crypto::KeyScope::kGlobal
                                                         : crypto::KeyScope::kTenant;
  spec.logical_type = types::type_tag(column.type);
  spec.type_family = types::family_tag(types::type_family(column.type));
  return spec;
}

}  // namespace

Result<std::unique_ptr<KeyService>> KeyService::open(const config::KeysOptions& options) {
  crypto::KeyStore::Options store_options;
  store_options.path = options.file.path;
  const bool passphrase = options.kek_file.empty();
  store_options.root.kind = passphrase ? crypto::RootKeySource::Kind::kPassphraseFile
                                       : crypto::RootKeySource::Kind::kKeyFile;
  store_options.root.path = passphrase ? options.passphrase_file.path : options.kek_file.path;
  POSTERN_ASSIGN(crypto::KeyStore store, crypto::KeyStore::open(store_options));
  return std::unique_ptr<KeyService>(new KeyService(std::move(store)));
}

std::shared_ptr<const crypto::KeySnapshot> KeyService::snapshot() const {
  const std::lock_guard lock(mutex_);
  return store_.snapshot();
}

bool KeyService::reload() {
  const std::lock_guard lock(mutex_);
  const auto now = std::chrono::steady_clock::now();
  if (now - last_reload_ < kReloadInterval) return false;
  last_reload_ = now;
  const Result<bool> changed = store_.reload();
  return changed && *changed;
}

Result<crypto::ColumnCipher*> ColumnCiphers::get(KeyService* keys, const policy::Ruleset& rules,
                                                 policy::ColumnId column) {
  if (keys == nullptr) return make_error(pst::kTenantHasNoKey, "no [keys] are configured");
  auto snapshot = keys->snapshot();
  if (ruleset_epoch_ != rules.epoch || keys_ != snapshot) {
    ciphers_.clear();
    ciphers_.resize(rules.columns.size());
    ruleset_epoch_ = rules.epoch;
    keys_ = std::move(snapshot);
  }
  std::unique_ptr<crypto::ColumnCipher>& cipher = ciphers_.at(column.index);
  if (cipher == nullptr) {
    POSTERN_ASSIGN(auto spec, spec_of(rules.columns.at(column.index)));
    cipher = std::make_unique<crypto::ColumnCipher>(keys_, std::move(spec));
  }
  return cipher.get();
}

}  // namespace postern::proxy
