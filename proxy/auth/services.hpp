// What the sessions of the process share for authentication.
#pragma once

#include <atomic>
#include <memory>

#include "config/options.hpp"
#include "proxy/auth/auth_query.hpp"
#include "proxy/auth/failure_limit.hpp"
#include "proxy/auth/proof_ring.hpp"
#include "proxy/auth/rules.hpp"
#include "proxy/identity/certificate_map.hpp"
#include "proxy/identity/token.hpp"
#include "proxy/runtime/database.hpp"

namespace postern::proxy {

/// What [identity] brings along. Immutable.
struct IdentityServices {
  IdentityMaps maps;
  std::shared_ptr<const TokenVerifier> tokens;  ///< null without [identity.jwt]
};

/// Members are thread-safe or immutable.
struct AuthServices {
  /// Likewise. kConfigBadValue, kKeySetUnusable.
  static Result<std::shared_ptr<const IdentityServices>> make_identity(
      const config::IdentityOptions& options);
  /// Rules that can be swapped in. Errors: those of AuthRules::open.
  static Result<std::shared_ptr<const AuthRules>> make_rules(const config::AuthOptions& options);
  /// Errors: those of make_rules() and make_identity().
  static Result<std::unique_ptr<AuthServices>> open(const config::Config& config);
  /// Makes `query` where [auth.query] is given; its connection is opened by the first lookup.
  void start_query(const config::AuthOptions& options, const DatabaseDirectory& databases,
                   Worker* home);

  explicit AuthServices(FailureLimitOptions limit) : failures(limit) {}

  // Swapped by a reload.
  std::atomic<std::shared_ptr<const AuthRules>> rules;
  std::atomic<std::shared_ptr<const IdentityServices>> identity;
  FailureLimit failures;
  ProofRing proofs;
  std::unique_ptr<AuthQuery> query;  ///< null without [auth.query]
};

}  // namespace postern::proxy
