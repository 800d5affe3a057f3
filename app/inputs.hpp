// What most commands begin with: the configuration, a database of it, and exit codes of errors.
#pragma once

#include <string>
#include <string_view>

#include "app/command.hpp"
#include "base/result.hpp"
#include "config/options.hpp"
#include "schema/connection.hpp"

namespace postern::app {

inline constexpr Flag kDatabaseFlag{"--database", 'd', "DB", "database, as clients name it"};
inline constexpr Flag kDsnFlag{"--dsn", 0, "DSN",
                               "connect so, instead of as [service] (password from PGPASSWORD)"};

/// kEnvironment where a file, a server or a permission is missing, else kFindings.
Exit exit_for(Pst code);
/// Prints the error and returns exit_for its code.
Exit fail(const Error& error);

/// Fills `out` from --config. On anything but kGood every mistake is printed.
Exit load_config(const Arguments& arguments, std::string_view command, config::Config& out);

/// A database as clients name it, and its name on the server. `options` lives as long as the
/// configuration.
struct DatabaseName {
  const config::DatabaseOptions* options = nullptr;
  std::string name;
  std::string upstream;
};
/// kUnknownDatabase.
Result<DatabaseName> database_named(const config::Config& config, const std::string& name);

/// A connection to the database's primary: `dsn` where given, else the first node of the cluster
/// that is no replica, as [service]. Errors: kSectionNeeded, kNoPrimary, kDatabaseUnreachable.
Result<schema::Connection> connect_primary(const config::Config& config,
                                           const DatabaseName& database, const std::string& dsn);

/// The [service] login on one node. kSectionNeeded without that section.
Result<schema::Connection> connect_node(const config::Config& config,
                                        const config::ClusterOptions& cluster,
                                        const config::HostPort& node, const std::string& dbname);

}  // namespace postern::app
