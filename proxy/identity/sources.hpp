// Which of a client's proofs and wishes say whom it acts for. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "config/options_auth.hpp"
#include "config/options_identity.hpp"
#include "proxy/identity/certificate_map.hpp"
#include "proxy/identity/choice.hpp"
#include "proxy/identity/token.hpp"

namespace postern::proxy {

/// All that is known at login. Pointers live as long as the call.
struct Evidence {
  const config::UserOptions* user = nullptr;
  bool listed = false;  ///< in the users file
  std::optional<CertificateIdentity> certificate;
  std::int64_t certificate_until_us = 0;
  const TokenIdentity* token = nullptr;  ///< verified; null: none
  std::string asked_tenant;              ///< by startup options; empty: not asked
  std::string asked_subject;
  std::string asked_purpose;
};

struct Resolved {
  ActsFor acts_for;
  std::vector<std::string> roles;
  std::int64_t valid_until_us = 0;  ///< of the proofs that were used; 0: for ever
  ChoiceRights rights;
};

/// The first source that names a tenant decides; another one that names another is an error, and so
/// is what a listed login has no right to. A login the users file does not have acts for whom its
/// token or certificate says. kTenantNotAllowed, kIdentityDisagrees, kSourceDisabled,
/// kClaimNotTrusted, kBadTenant, kBadClaim.
Result<Resolved> resolve_identity(std::span<const config::IdentitySource> sources,
                                  const Evidence& evidence);

}  // namespace postern::proxy
