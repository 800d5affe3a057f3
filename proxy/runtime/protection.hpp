// What protects one database at the moment: an immutable snapshot that sessions pick up per
// statement.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/error.hpp"
#include "base/secret.hpp"
#include "policy/ruleset.hpp"
#include "proxy/net/endpoint.hpp"
#include "sql/catalog.hpp"

namespace postern::proxy {

struct Protection {
  std::uint64_t epoch = 0;  ///< grows with every new snapshot of the process; in cache keys
  bool is_protected = false;
  std::shared_ptr<const sql::Catalog> catalog;   ///< null: never loaded (unprotected only)
  std::shared_ptr<const policy::Ruleset> rules;  ///< null where `catalog` is
  /// Why nothing may pass at the moment: wall drift in enforce mode, catalog not loadable.
  std::optional<Error> blocked;
  /// Signs the tenant contexts of this database: the newest configured key that its nodes hold.
  /// Null: the key the process started with.
  std::shared_ptr<const Secret> guard_key;
  /// Replicas whose wall was verified: no other one reads. Absent: any may.
  std::optional<std::vector<Endpoint>> walled_replicas;

  [[nodiscard]] bool reads_from(const Endpoint& node) const {
    return !walled_replicas || std::find(walled_replicas->begin(), walled_replicas->end(), node) !=
                                   walled_replicas->end();
  }
};

}  // namespace postern::proxy
