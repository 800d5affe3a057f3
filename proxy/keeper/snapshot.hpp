// Reads what a Protection is made of from a database, through a service connection.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "policy/wall_verify.hpp"
#include "proxy/keeper/service_connection.hpp"
#include "sql/catalog.hpp"

namespace postern::proxy {

struct CatalogSnapshot {
  /// Of the same moment as the catalog; compare with read_fingerprint() later.
  std::string fingerprint;
  std::shared_ptr<const sql::Catalog> catalog;
};

/// One REPEATABLE READ READ ONLY transaction. On errors the connection is closed. kUnknownDatabase,
/// kCatalogUnreadable with the cause.
Task<Result<CatalogSnapshot>> read_snapshot(ServiceConnection* connection, std::uint64_t epoch);

/// Equal to a snapshot's: a snapshot taken now would say the same. kCatalogUnreadable.
Task<Result<std::string>> read_fingerprint(ServiceConnection* connection);

/// What of the wall is not as `rules` want it; empty: it stands. A wall that was never installed
/// is one difference. Application roles that do not exist on the server are passed over: nobody can
/// be served as one. kCatalogUnreadable where the server does not answer.
Task<Result<std::vector<policy::WallDifference>>> read_wall(
    ServiceConnection* connection, std::shared_ptr<const policy::Ruleset> rules,
    policy::WallOptions options);

/// The wall of one node in short: equal hashes, equal walls.
struct NodeWall {
  std::string hash;
  std::vector<std::string> guard_keys;  ///< ids of the keys it holds
};

/// kCatalogUnreadable where the node does not answer or has no wall.
Task<Result<NodeWall>> read_node_wall(ServiceConnection* connection,
                                      std::shared_ptr<const policy::Ruleset> rules,
                                      policy::WallOptions options);

}  // namespace postern::proxy
