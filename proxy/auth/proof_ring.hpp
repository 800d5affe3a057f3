// What logins gave away when they proved themselves: enough to log in to a server in their name.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "protocol/client_login.hpp"

namespace postern::proxy {

/// The latest proof of each login, so that a session that lives through a change of the secret can
/// still open server connections. Thread-safe; holds secrets, in memory only.
class ProofRing {
 public:
  /// Most logins remembered; the one that logged in longest ago goes.
  static constexpr std::size_t kMaxLogins = 10'000;

  /// Empty proofs are not kept.
  void keep(const std::string& login, std::shared_ptr<const protocol::LoginProof> proof);
  /// Null where there is none.
  [[nodiscard]] std::shared_ptr<const protocol::LoginProof> find(const std::string& login) const;

 private:
  struct Entry {
    std::shared_ptr<const protocol::LoginProof> proof;
    std::uint64_t age = 0;
  };
  mutable std::mutex mutex_;
  std::map<std::string, Entry, std::less<>> entries_;
  std::map<std::uint64_t, std::string> ages_;
  std::uint64_t next_age_ = 1;
};

}  // namespace postern::proxy
