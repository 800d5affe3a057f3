// What the policy commands share: the rules of one database, resolved against its present catalog.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "app/inputs.hpp"
#include "policy/ruleset.hpp"
#include "policy/wall_plan.hpp"
#include "policy/wall_verify.hpp"
#include "schema/connection.hpp"

namespace postern::app {

/// The part of the configuration that policy compiles, for the database clients call `name`.
/// kConfigNotHandled for keys that policy does not carry out yet.
Result<policy::PolicyOptions> policy_options(const config::Config& config, std::string_view name);

/// The UUID of a link group's name: 32 hexadecimal digits of its hash, the same everywhere.
std::string link_group_uuid(std::string_view name);

/// The roles that Postern's pooled connections to the database log in as; sorted, unique.
std::vector<std::string> upstream_roles(const config::Config& config, const DatabaseName& database);

/// The database's catalog in one snapshot; leaves no transaction open.
Result<std::shared_ptr<const sql::Catalog>> load_catalog(schema::Connection& connection);

/// Rows of the verification query against the rules; empty = the wall stands.
Result<std::vector<policy::WallDifference>> wall_differences(schema::Connection& connection,
                                                             const policy::Ruleset& rules,
                                                             const policy::WallOptions& wall);

/// [tenant] guard_key_file; empty where there is none.
std::string guard_key_file(const config::Config& config);

struct PolicyTask {
  config::Config config;
  DatabaseName database;
  std::unique_ptr<schema::Connection> connection;
  std::shared_ptr<const policy::Ruleset> rules;
  policy::WallOptions wall;
};

/// Loads the configuration, connects, and compiles. On anything but kGood the reason is printed.
Exit open_policy_task(const Arguments& arguments, std::string_view command, PolicyTask& task);

}  // namespace postern::app
