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
