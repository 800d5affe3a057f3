// [auth.query]: secrets of logins that the users file does not have, asked of a server.
#pragma once

#include <chrono>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "config/options.hpp"
#include "protocol/password.hpp"
#include "proxy/keeper/service_connection.hpp"
#include "proxy/net/event.hpp"

namespace postern::proxy {

/// What a lookup found: neither secret where there is no such login, where it may not log in, or
/// where its password has expired.
using FoundSecret = std::shared_ptr<const protocol::StoredPassword>;

/// One per process. It works on the home worker, with one connection of its own whose startup
/// parameters are fixed (search_path='', read-only; CVE-2025-12819): nothing of a client reaches it
/// but the login's name as a parameter. Answers are kept for `ttl`, lookups of one name under way
/// are one, those of different names wait for each other. Must outlive the sessions of every
/// worker; options and clusters must outlive it.
class AuthQuery {
 public:
  /// Longest time of a lookup, connecting included, is a few of these.
  static constexpr std::chrono::seconds kTimeout{5};
  /// Names that may wait to be looked up, and answers kept.
  static constexpr std::size_t kMaxWaiting = 1'000;
  /// After no server could be asked: until then nobody is kept waiting to find that out again.
  static constexpr std::chrono::seconds kDownTime{1};
  static constexpr std::size_t kMaxKept = 10'000;

  AuthQuery(const config::AuthQueryOptions* options, const Cluster* cluster, Worker* home);
  AuthQuery(const AuthQuery&) = delete;
  AuthQuery& operator=(const AuthQuery&) = delete;
  ~AuthQuery();

  /// Called on the worker `caller`. kAuthQueryFailed.
  Task<Result<FoundSecret>> lookup(Worker* caller, std::string login);
  /// The kept answer proved wrong, or may be: the next lookup asks anew. Any thread.
  void forget(std::string login);

 private:
  struct Waiter;
  struct Kept {
    FoundSecret secret;
    SteadyClock::time_point until;
  };

  void tell(const std::string& login, const Result<FoundSecret>& told);
  void take(std::shared_ptr<Waiter> waiter, const std::string& login);
  Task<void> work();
  Task<Result<FoundSecret>> ask(std::string login);
  Task<Result<Rows>> ask_nodes(std::string login);
  Task<Result<FoundSecret>> check_expiry(std::string login, Row row);
  void keep(const std::string& login, FoundSecret secret, SteadyClock::time_point until);

  const config::AuthQueryOptions* options_;
  const Cluster* cluster_;
  Worker* home_;
  config::ServiceOptions login_;
  // Home's thread only.
  ServiceConnection connection_;
  std::unordered_map<std::string, Kept> kept_;
  std::unordered_map<std::string, std::vector<std::shared_ptr<Waiter>>> waiting_;
  std::deque<std::string> queue_;
  SteadyClock::time_point expires_{};     // of the answer being made
  SteadyClock::time_point down_until_{};  // kDownTime
  bool working_ = false;
};

}  // namespace postern::proxy
