// What the configuration says of one database, in the words of policy/. Pure.
#pragma once

#include <optional>
#include <string_view>

#include "base/result.hpp"
#include "config/options.hpp"
#include "policy/ruleset.hpp"
#include "policy/wall_plan.hpp"

namespace postern::proxy {

/// A profile in the words of policy/; the default, where nothing else was found, is app.
policy::Profile policy_profile(config::Profile profile);

/// Options of the rules that govern the database which clients call `database`. Errors:
/// kProtectionBlocked where a rule asks for protection that is not built yet (masks, roles of
/// columns): to leave it out would show what it hides.
Result<policy::PolicyOptions> policy_options(const config::Config& config,
                                             std::string_view database);

/// Where tenants have schemas: how those and their roles are named.
Result<std::optional<policy::SchemaTenants>> schema_tenants(const config::Config& config);

/// 32 hex digits that stand for a link group's name, the same on every instance and for ever: they
/// are part of key derivation. A UUID stands for itself. Empty for an empty name.
std::string link_group_uuid(std::string_view name);

/// The upstream roles that clients of this database are served with, as far as the configuration
/// knows them, and that the wall must bind: profiles app, analyst and default.
policy::WallOptions wall_options(const config::Config& config, std::string_view database);

}  // namespace postern::proxy
