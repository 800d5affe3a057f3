// The key store of the process and the ciphers of one worker.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <vector>

#include "config/options.hpp"
#include "crypto/column_cipher.hpp"
#include "crypto/key_store.hpp"
#include "policy/ruleset.hpp"

namespace postern::proxy {

/// Thread-safe owner of the open key store.
class KeyService {
 public:
  static Result<std::unique_ptr<KeyService>> open(const config::KeysOptions& options);

  [[nodiscard]] std::shared_ptr<const crypto::KeySnapshot> snapshot() const;
  /// Reads the store again where a key is not known; false: nothing new. Called at most once per
  /// kReloadInterval, since an attacker may plant unknown key ids.
  bool reload();

 private:
  explicit KeyService(crypto::KeyStore store) : store_(std::move(store)) {}
  static constexpr std::chrono::seconds kReloadInterval{1};

  mutable std::mutex mutex_;
  crypto::KeyStore store_;
  std::chrono::steady_clock::time_point last_reload_{};
};

/// One worker's ciphers, by column of a ruleset. Not thread-safe.
class ColumnCiphers {
 public:
  /// Cipher of a protected column under the present keys. Valid until the next call.
  Result<crypto::ColumnCipher*> get(KeyService* keys, const policy::Ruleset& rules,
                                    policy::ColumnId column);

 private:
  std::uint64_t ruleset_epoch_ = 0;
  std::shared_ptr<const crypto::KeySnapshot> keys_;
  std::vector<std::unique_ptr<crypto::ColumnCipher>> ciphers_;
};

}  // namespace postern::proxy
