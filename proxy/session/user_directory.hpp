// The logins of the users file, ready for authentication.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "config/options.hpp"
#include "protocol/password.hpp"

namespace postern::proxy {

/// Thread-safe; the table behind it is immutable and swapped as a whole.
class UserDirectory {
 public:
  struct Table;

  /// Derives SCRAM secrets and md5 hashes of plaintext passwords now, so that logins cost no
  /// stretching here; what is known of an unchanged password is taken over. `config` must live as
  /// long as the process. kBadScramSecret names the user whose secret is malformed.
  Result<std::shared_ptr<const Table>> prepare(const config::Config& config) const;
  void adopt(std::shared_ptr<const Table> table) { table_.store(std::move(table)); }
  /// prepare() and adopt().
  Status open(const config::Config& config);

  /// What the file knows of the password; nullopt where it has no such login, or no secret of it.
  [[nodiscard]] std::optional<protocol::StoredPassword> stored(const std::string& user) const;
  [[nodiscard]] bool lists(const std::string& user) const;
  /// Options of a user, or of nobody in particular where strangers are admitted.
  [[nodiscard]] const config::UserOptions& options(const std::string& user) const;
  /// Password for logging in upstream in the user's own name; null where only a secret is known.
  [[nodiscard]] std::shared_ptr<const Secret> password(const std::string& user) const;

 private:
  std::atomic<std::shared_ptr<const Table>> table_;
  config::UserOptions stranger_;
};

struct UserDirectory::Table {
  struct Entry {
    const config::UserOptions* options = nullptr;
    std::optional<protocol::ScramSecret> scram;
    Secret md5;
    std::shared_ptr<const Secret> password;
  };
  std::map<std::string, Entry, std::less<>> entries;
};

}  // namespace postern::proxy
