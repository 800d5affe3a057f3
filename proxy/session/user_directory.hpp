// The logins of the users file, ready for authentication.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "config/options.hpp"
#include "protocol/client_login.hpp"

namespace postern::proxy {

/// Immutable after open(); any thread.
class UserDirectory {
 public:
  /// Derives SCRAM secrets of plaintext passwords now, so that logins cost no stretching here.
  /// `config` must outlive the directory. kBadScramSecret names the user whose secret is malformed.
  Status open(const config::Config& config);

  /// What ClientLogin is to be told about this user.
  [[nodiscard]] protocol::UserAnswer answer(const std::string& user) const;
  /// Options of a user, or of nobody in particular where trust admits strangers.
  [[nodiscard]] const config::UserOptions& options(const std::string& user) const;
  /// Password for logging in upstream in the user's own name; null where only a secret is known.
  [[nodiscard]] std::shared_ptr<const Secret> password(const std::string& user) const;

 private:
  struct Entry {
    const config::UserOptions* options = nullptr;
    protocol::ScramSecret secret;
    std::shared_ptr<const Secret> password;
  };
  std::map<std::string, Entry, std::less<>> entries_;
  config::UserOptions stranger_;
  bool trust_ = false;
};

}  // namespace postern::proxy
