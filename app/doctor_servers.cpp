#include <algorithm>

#include "app/doctor.hpp"
#include "app/guard_key_install.hpp"
#include "app/policy_task.hpp"
#include "config/validate.hpp"
#include "proxy/keeper/policy_options.hpp"

namespace postern::app {
namespace {

using schema::Check;
using schema::Level;

/// Clusters are asked in one of their databases: "*" is the maintenance database's name.
std::vector<DatabaseName> databases_of(const config::Config& config, const std::string& cluster) {
  std::vector<DatabaseName> out;
  for (const auto& [name, options] : config.databases) {
    if (options.cluster != cluster || name == "*") continue;
    out.push_back({&options, name, config::upstream_database(options, name)});
  }
  return out;
}

std::string node_name(const config::HostPort& node) {
  return "node " + node.host + ":" + std::to_string(node.port);
}

/// The wall, and whether it knows our key. Weak in observe mode: there it may still be absent.
class WallChecks {
 public:
  WallChecks(const config::Config& config, const DatabaseName& database,
             schema::Connection& connection, Checks& out)
      : config_(config), database_(database), connection_(connection), out_(out) {}

  void run() {
    const auto rules = compile();
    if (!rules) return add(Level::kMissing, "policy", rules.error());
    const policy::WallOptions options = proxy::wall_options(config_, database_.name);
    const auto differences = wall_differences(connection_, **rules, options);
    if (!differences) return add(Level::kMissing, "wall", differences.error());
    if (differences->empty()) {
      out_.push_back(
          {Level::kGood, where(), "wall",
           (*rules)->options.schemas
               ? "stands, tenants' schemas"
               : "stands, " + std::to_string((*rules)->tenant_tables.size()) + " tenant tables",
           "", ""});
      if ((*rules)->options.schemas) return;
      event_triggers();
      return guard_key();
    }
    const policy::WallDifference& first = differences->front();
    out_.push_back({absent_level(), where(), "wall",
                    std::to_string(differences->size()) + " differences, first: " + first.object +
                        ": " + first.problem,
                    "the database itself does not keep tenants apart", "postern policy verify"});
  }

 private:
  Result<std::shared_ptr<const policy::Ruleset>> compile() {
    POSTERN_ASSIGN(const policy::PolicyOptions options,
                   proxy::policy_options(config_, database_.name));
    POSTERN_ASSIGN(auto catalog, load_catalog(connection_));
    return policy::compile_ruleset(options, std::move(catalog));
  }

  void event_triggers() {
    const auto there = connection_.truth(
        "SELECT count(*) = 2 FROM pg_event_trigger WHERE starts_with(evtname::text, "
        "'postern_wall_') AND evtenabled = 'A'");
    if (!there) return add(Level::kMissing, "event triggers", there.error());
    if (*there) {
      out_.push_back({Level::kGood, where(), "event triggers", "wall new tables", "", ""});
      return;
    }
    out_.push_back({Level::kNote, where(), "event triggers", "absent",
                    "a new tenant table closes the database in mode enforce",
                    "postern policy apply as a superuser, or after each migration"});
  }

  void guard_key() {
    const std::string file = guard_key_file(config_);
    if (file.empty()) return;
    const Status accepted = try_guard_key(connection_, file);
    if (accepted) {
      out_.push_back({Level::kGood, where(), "guard key", "the database accepts it", "", ""});
      return;
    }
    out_.push_back({absent_level(), where(), "guard key", accepted.error().message(),
                    "signed contexts are refused: no tenant sees a row",
                    "postern policy apply installs the key"});
  }

  [[nodiscard]] Level absent_level() const {
    return config_.policy.mode == config::PolicyMode::kObserve ? Level::kNote : Level::kMissing;
  }
  [[nodiscard]] std::string where() const { return "database " + database_.name; }
  void add(Level level, std::string what, const Error& error) {
    out_.push_back({level, where(), std::move(what), error.message(),
                    "its protection cannot be worked out", std::string(error.effective_hint())});
  }

  const config::Config& config_;
  const DatabaseName& database_;
  schema::Connection& connection_;
  Checks& out_;
};

schema::NodeNeeds needs_of(const config::Config& config, const config::ClusterOptions& cluster,
                           const config::HostPort& node,
                           const std::vector<DatabaseName>& databases) {
  schema::NodeNeeds out;
  out.where = node_name(node);
  out.nodes = cluster.nodes.size();
  out.routing = config.routing.has_value();
  out.tls_configured = cluster.tls.mode > config::UpstreamTlsMode::kPrefer;
  out.local = config::is_loopback(node.host);
  out.tenant = config.tenant && !config.tenant->by_schema();
  for (const DatabaseName& database : databases) {
    out.pool_size += database.options->pool_size;
    const policy::WallOptions wall = proxy::wall_options(config, database.name);
    for (const std::string& role : wall.app_roles) {
      const bool known = std::count(out.app_roles.begin(), out.app_roles.end(), role) > 0;
      if (!known) out.app_roles.push_back(role);
    }
  }
  return out;
}

/// One node through one of its databases; true where it is a primary.
bool check_node(const config::Config& config, const config::ClusterOptions& cluster,
                const config::HostPort& node, const std::vector<DatabaseName>& databases,
                Checks& out) {
  const std::string dbname = databases.empty() ? "postgres" : databases.front().upstream;
  const schema::NodeNeeds needs = needs_of(config, cluster, node, databases);
  auto connection = connect_node(config, cluster, node, dbname);
  if (!connection) {
    out.push_back({Level::kMissing, needs.where, "connection", connection.error().message(),
                   "nothing can be asked of this node, and none of its rows served",
                   std::string(connection.error().effective_hint())});
    return false;
  }
  const auto facts = schema::ask_node(*connection, needs.app_roles,
                                      needs.tenant ? config.tenant->column : std::string());
  if (!facts) {
    out.push_back({Level::kMissing, needs.where, "catalogs", facts.error().message(),
                   "the node cannot be judged", std::string(facts.error().effective_hint())});
    return false;
  }
  const Checks judged = schema::judge_node(*facts, needs);
  out.insert(out.end(), judged.begin(), judged.end());
  if (facts->is_replica || !config.tenant) return !facts->is_replica;
  for (const DatabaseName& database : databases) {
    auto own = connect_node(config, cluster, node, database.upstream);
    if (own) {
      WallChecks(config, database, *own, out).run();
    } else {
      out.push_back({Level::kMissing, "database " + database.name, "connection",
                     own.error().message(), "its clients cannot connect either",
                     "create the database, or correct [database] upstream"});
    }
  }
  return true;
}

}  // namespace

void check_servers(const config::Config& config, Checks& out) {
  if (!config.service) {
    out.push_back({Level::kMissing, "servers", "[service]", "absent",
                   "catalogs, roles and walls cannot be looked at", "add [service] with a login"});
    return;
  }
  for (const auto& [name, cluster] : config.clusters) {
    const auto databases = databases_of(config, name);
    std::size_t primaries = 0;
    for (const config::HostPort& node : cluster.nodes) {
      if (check_node(config, cluster, node, databases, out)) ++primaries;
    }
    if (primaries == 1) continue;
    out.push_back({Level::kMissing, "cluster " + name, "primary", std::to_string(primaries),
                   primaries == 0 ? "nothing can be written" : "which one holds the truth is open",
                   "name the nodes of one cluster, with one primary"});
  }
}

}  // namespace postern::app
