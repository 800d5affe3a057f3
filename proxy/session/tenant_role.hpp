// Where tenants have schemas: the role and the schema that a session has on the server.
#pragma once

#include <memory>
#include <string>

#include "base/result.hpp"
#include "base/secret.hpp"
#include "proxy/identity/sources.hpp"
#include "proxy/session/session.hpp"

namespace postern::proxy {

/// With a tenant the session logs in upstream as the tenant's role, and finds the tenant's schema
/// in front of its search path; whom it acts for is settled then, because a connection's login
/// never changes. Before pools are looked up. Does nothing where tenants are rows.
/// kTenantWithoutSchema; kStrangerRefused for a login without tenant that is named like a tenant's
/// role.
Status take_tenant_role(Session* session, Resolved& found);

/// What servers are told at startup comes from the tenant alone, not from this client.
bool fresh_startup(const Identity& who);

/// Password of a tenant's role; null where `user` is none, or the configuration has no password.
std::shared_ptr<const Secret> tenant_role_password(const config::Config& config,
                                                   const std::string& user);

}  // namespace postern::proxy
