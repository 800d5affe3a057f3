#include "app/inputs.hpp"

#include <utility>

#include "base/codes/audit.hpp"
#include "base/codes/config.hpp"
#include "base/codes/crypto.hpp"
#include "base/codes/pool.hpp"
#include "base/codes/tools.hpp"
#include "config/load.hpp"

namespace postern::app {

Exit exit_for(Pst code) {
  switch (code) {
    case pst::kUsage:
    case pst::kBadConnectionString:
    case pst::kBadTime:
      return Exit::kUsage;
    case pst::kConfigUnreadable:
    case pst::kDatabaseUnreachable:
    case pst::kDatabaseRefused:
    case pst::kNoPrimary:
    case pst::kServerTooOld:
    case pst::kOutputNotWritten:
    case pst::kImportFile:
    case pst::kKeyFileUnreadable:
    case pst::kKeyFilePermissions:
    case pst::kKeyStoreWrite:
    case pst::kCryptoUnavailable:
    case pst::kAuditKeyBad:
    case pst::kAuditUnreadable:
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
    return fail(make_error(pst::kUsage, std::string(command) + " needs --config FILE"));
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
  if (options == nullptr) return make_error(pst::kUnknownDatabase, name);
  return DatabaseName{options, name, config::upstream_database(*options, name)};
}

Result<schema::Connection> connect_node(const config::Config& config,
                                        const config::ClusterOptions& cluster,
                                        const config::HostPort& node, const std::string& dbname) {
  if (!config.service) return make_error(pst::kSectionNeeded, "[service], or give --dsn");
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
  Error last = make_error(pst::kNoPrimary, database.options->cluster);
  for (const config::HostPort& node : cluster.nodes) {
    auto connection = connect_node(config, cluster, node, database.upstream);
    if (!connection) {
      last = std::move(connection).error();
      if (last.code == pst::kSectionNeeded) return last;
      continue;
    }
    POSTERN_ASSIGN(const bool replica, connection->truth("SELECT pg_catalog.pg_is_in_recovery()"));
    if (!replica) return connection;
    last = make_error(pst::kNoPrimary, database.options->cluster);
  }
  return last;
}

}  // namespace postern::app
