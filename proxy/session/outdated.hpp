// Does a session still stand under the configuration in force?
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "proxy/session/session.hpp"

namespace postern::proxy {

/// Why a login under `now` would not give what the same login gave under `before`: the user is
/// gone, its profile, its login on the server or its tenant is another, or its database became
/// protected or ceased to be. Empty: it would. Pure.
std::optional<std::string> identity_changed(const config::Config& before, const config::Config& now,
                                            const Identity& identity, std::string_view database);

/// The error that ends a session at its next idle moment: kConfigurationChanged with the reason.
/// Cheap while no reload happened. The session's worker.
Status outdated(Session* session);

}  // namespace postern::proxy
