// The logins of the users file, ready for authentication.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "config/options.hpp"
#include "protocol/password.hpp"

namespace postern::proxy {

/// Immutable after open(); any thread.
class UserDirectory {
 public:
  /// Derives SCRAM secrets and md5 hashes of plaintext passwords now, so that logins cost no
  /// stretching here. `config` must outlive the directory. kBadScramSecret names the user whose
  /// secret is malformed.
  Status open(const config::Config& config);

  /// What the file knows of the password; nullopt where it has no such login, or no secret of it.
  [[nodiscard]] std::optional<protocol::StoredPassword> stored(const std::string& user) const;
  [[nodiscard]] bool lists(const std::string& user) const { return entries_.contains(user); }
  /// Options of a user, or of nobody in particular where strangers are admitted.
  [[nodiscard]] const config::UserOptions& options(const std::string& user) const;
  /// Password for logging in upstream in the user's own name; null where only a secret is known.
  [[nodiscard]] std::shared_ptr<const Secret> password(const std::string& user) const;

 private:
  struct Entry {
    const config::UserOptions* options = nullptr;
    std::optional<protocol::ScramSecret> scram;
    Secret md5;
    std::shared_ptr<const Secret> password;
  };
  static Result<Entry> make_entry(const std::string& name, const config::UserOptions& options);

  std::map<std::string, Entry, std::less<>> entries_;
  config::UserOptions stranger_;
};

}  // namespace postern::proxy
