// What the sessions of the process share for authentication.
#pragma once

#include <memory>

#include "config/options.hpp"
#include "proxy/auth/auth_query.hpp"
#include "proxy/auth/failure_limit.hpp"
#include "proxy/auth/proof_ring.hpp"
#include "proxy/auth/rules.hpp"
#include "proxy/runtime/database.hpp"

namespace postern::proxy {

/// Members are thread-safe or immutable.
struct AuthServices {
  /// Errors: those of AuthRules::open.
  static Result<std::unique_ptr<AuthServices>> open(const config::AuthOptions& options);
  /// Makes `query` where [auth.query] is given; its connection is opened by the first lookup.
  void start_query(const config::AuthOptions& options, const DatabaseDirectory& databases,
                   Worker* home);

  explicit AuthServices(FailureLimitOptions limit) : failures(limit) {}

  AuthRules rules;
  FailureLimit failures;
  ProofRing proofs;
  std::unique_ptr<AuthQuery> query;  ///< null without [auth.query]
};

}  // namespace postern::proxy
