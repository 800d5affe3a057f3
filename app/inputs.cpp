#include "app/inputs.hpp"

#include <utility>

#include "config/load.hpp"

namespace postern::app {

Exit exit_for(Pst code) {
  switch (code) {
    case Pst::kUsage:
    case Pst::kBadConnectionString:
    case Pst::kBadTime:
      return Exit::kUsage;
    case Pst::kConfigUnreadable:
    case Pst::kDatabaseUnreachable:
    case Pst::kDatabaseRefused:
    case Pst::kNoPrimary:
    case Pst::kServerTooOld:
    case Pst::kOutputNotWritten:
    case Pst::kKeyFileUnreadable:
    case Pst::kKeyFilePermissions:
    case Pst::kKeyStoreWrite:
    case Pst::kCryptoUnavailable:
    case Pst::kAuditKeyBad:
    case Pst::kAuditUnreadable:
      return Exit::kEnvironment;
    default:
      return Exit::kFindings;
  }
}

Exit fail(const Error& error) {
  return fail(error, exit_for(error.code));
}

Exit load_config(const Arguments& arguments, std::string_view command, config::Config& out) {
  if (!arguments.has("--config")) {
    return fail(make_error(Pst::kUsage, std::string(command) + " needs --config FILE"));
  }
  auto loaded = config::load_report(arguments.value("--config"), config::process_environment());
  Exit exit = Exit::kGood;
  for (const Error& error : loaded.errors) {
    if (exit == Exit::kGood) exit = exit_for(error.code);
    fail(error, exit);
  }
  out = std::move(loaded.config);
  return exit;
}

Result<DatabaseName> database_named(const config::Config& config, const std::string& name) {
  const config::DatabaseOptions* options = config::find_database(config, name);
  if (options == nullptr) return make_error(Pst::kUnknownDatabase, name);
  return DatabaseName{options, name, config::upstream_database(*options, name)};
}

Result<schema::Connection> connect_node(const config::Config& config,
                                        const config::ClusterOptions& cluster,
                                        const config::HostPort& node, const std::string& dbname) {
  if (!config.service) return make_error(Pst::kSectionNeeded, "[service], or give --dsn");
  schema::Conninfo info = schema::Conninfo::of_node(cluster, node);
  info.set("dbname", dbname).set("user", config.service->user);
  if (!config.service->password.empty()) info.set_password(config.service->password.clone());
  return schema::Connection::open(info);
}

Result<schema::Connection> connect_primary(const config::Config& config,
                                           const DatabaseName& database, const std::string& dsn) {
  if (!dsn.empty()) {
    POSTERN_ASSIGN(schema::Conninfo info, schema::Conninfo::parse(dsn));
    info.set_default("dbname", database.upstream);
    return schema::Connection::open(info);
  }
  const auto& cluster = config.clusters.find(database.options->cluster)->second;
  Error last = make_error(Pst::kNoPrimary, database.options->cluster);
  for (const config::HostPort& node : cluster.nodes) {
    auto connection = connect_node(config, cluster, node, database.upstream);
    if (!connection) {
      last = std::move(connection).error();
      if (last.code == Pst::kSectionNeeded) return last;
      continue;
    }
    POSTERN_ASSIGN(const bool replica, connection->truth("SELECT pg_catalog.pg_is_in_recovery()"));
    if (!replica) return connection;
    last = make_error(Pst::kNoPrimary, database.options->cluster);
  }
  return last;
}

}  // namespace postern::app
