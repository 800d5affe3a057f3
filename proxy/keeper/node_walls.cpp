// The part of WatchedDatabase that looks at every node: replicas that may read, keys to sign with.
#include <algorithm>
#include <utility>

#include "base/codes/wall.hpp"
#include "config/guard_key.hpp"
#include "proxy/keeper/keeper.hpp"
#include "proxy/keeper/policy_options.hpp"
#include "proxy/keeper/watched_database.hpp"
#include "proxy/sinks/log.hpp"

namespace postern::proxy {
namespace {

bool holds(const std::vector<std::vector<std::string>>& nodes, const std::string& kid) {
  return std::all_of(nodes.begin(), nodes.end(), [&](const std::vector<std::string>& keys) {
    return std::find(keys.begin(), keys.end(), kid) != keys.end();
  });
}

}  // namespace

// A replica holds the primary's catalogs of some moment: equal hashes mean the same wall, others
// that it is behind, or no replica of this primary at all.
Task<void> WatchedDatabase::verify_nodes() {
  policy::WallOptions options = wall_options(*config_, database_->name());
  const Result<NodeWall> primary =
      co_await read_node_wall(connection_.get(), rules_, std::move(options));
  const bool reads = config_->routing.has_value();
  if (!primary) {
    if (reads && enforces()) set_replicas(std::vector<Endpoint>{});
    co_return;
  }
  std::vector<std::vector<std::string>> keys{primary->guard_keys};
  std::vector<Endpoint> walled;
  const std::size_t nodes = connection_->cluster().nodes().size();
  bool all = true;
  for (std::size_t i = 0; reads && i < nodes; ++i) {
    if (i == connection_->node()) continue;
    std::string hash = primary->hash;
    const bool stands = co_await replica_stands(i, &keys, std::move(hash));
    if (stands) walled.push_back(connection_->cluster().nodes().at(i));
    all = all && stands;
  }
  // One that starts or catches up is not kept waiting for long.
  if (!all) verify_at_ = std::min(verify_at_, SteadyClock::now() + Keeper::kPollInterval);
  if (reads && enforces()) {
    set_replicas(std::move(walled));
  } else {
    set_replicas(std::nullopt);
  }
  choose_guard_key(keys);
}

Task<bool> WatchedDatabase::replica_stands(std::size_t node,
                                           std::vector<std::vector<std::string>>* keys,
                                           std::string hash) {
  ServicePlace place{&database_->cluster(), node, database_->upstream()};
  ServiceConnection connection(home_, &*config_->service, std::move(place));
  connection.limit(kQueryLimit);
  policy::WallOptions options = wall_options(*config_, database_->name());
  const Result<NodeWall> wall = co_await read_node_wall(&connection, rules_, std::move(options));
  std::string& told = told_replicas_[node];
  if (wall && wall->hash == hash) {
    if (!told.empty()) log_info("replica_wall_stands", {{"database", database_->name()}});
    told.clear();
    keys->push_back(wall->guard_keys);
    co_return true;
  }
  std::string problem = wall ? "its wall is not the primary's" : wall.error().line();
  if (problem != told) {
    log_warning("replica_wall_drift",
                {{"database", database_->name()},
                 {"node", database_->cluster().nodes().at(node).text()},
                 {"problem", problem},
                 {"repair", "it reads again when it has caught up with the primary's wall"}});
    told = std::move(problem);
  }
  co_return false;
}

void WatchedDatabase::set_replicas(std::optional<std::vector<Endpoint>> walled) {
  if (walled == walled_replicas_) return;
  walled_replicas_ = std::move(walled);
  if (database_->protection() != nullptr) publish();
}

// The next key once every node holds it, else the present one: both verify meanwhile.
void WatchedDatabase::choose_guard_key(const std::vector<std::vector<std::string>>& held) {
  if (!config_->tenant || config_->tenant->guard_key_file.empty()) return;
  const std::string& file = config_->tenant->guard_key_file.path;
  for (const std::string& path : {config::next_guard_key_file(file), file}) {
    Result<Secret> key = config::load_guard_key(path);
    if (!key) continue;
    const std::string kid = config::guard_kid(key->reveal());
    if (!holds(held, kid)) continue;
    if (kid == guard_kid_) return;
    guard_kid_ = kid;
    guard_key_ = std::make_shared<const Secret>(std::move(*key));
    log_info("guard_key_signs", {{"database", database_->name()}, {"kid", kid}});
    if (database_->protection() != nullptr) publish();
    return;
  }
}

}  // namespace postern::proxy
