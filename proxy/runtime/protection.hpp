// What protects one database at the moment: an immutable snapshot that sessions pick up per
// statement.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "base/error.hpp"
#include "policy/ruleset.hpp"
#include "sql/catalog.hpp"

namespace postern::proxy {

struct Protection {
  std::uint64_t epoch = 0;  ///< grows with every new snapshot of the process; in cache keys
  bool is_protected = false;
  std::shared_ptr<const sql::Catalog> catalog;   ///< null: never loaded (unprotected only)
  std::shared_ptr<const policy::Ruleset> rules;  ///< null where `catalog` is
  /// Why nothing may pass at the moment: wall drift in enforce mode, catalog not loadable.
  std::optional<Error> blocked;
};

}  // namespace postern::proxy
