// Passwords of tenants' roles, where tenants have schemas.
#pragma once

#include <string>
#include <vector>

#include "base/secret.hpp"
#include "policy/ruleset.hpp"
#include "schema/connection.hpp"

namespace postern::app {

/// Gives the role of every tenant's schema the password, as a verifier: it crosses the network and
/// stands in logs as that only. The roles, ascending.
Result<std::vector<std::string>> set_role_passwords(schema::Connection& connection,
                                                    const policy::Ruleset& rules,
                                                    const Secret& password);

}  // namespace postern::app
