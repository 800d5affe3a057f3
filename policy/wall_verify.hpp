// Does the wall stand as the ruleset wants it? A query, a pure comparison, and a hash for polling.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "policy/ruleset.hpp"
#include "policy/wall_plan.hpp"

namespace postern::policy {

/// One row of the verification query: what of which object has which value. All text, never NULL.
struct WallRow {
  std::string section;  ///< "function", "table", "policy", ...
  std::string object;   ///< quoted and qualified, as SQL names it
  std::string property;
  std::string value;
};

struct WallDifference {
  std::string object;
  std::string problem;  ///< what differs, for people
  std::string repair;   ///< SQL (or a sentence starting with "--") that mends it
};

/// A single SELECT of four text columns (WallRow). Needs no privilege beyond CONNECT; reads the
/// server's catalogs as they are now, so new tables and partitions are seen before the next catalog
/// snapshot. Run with search_path = ''. Fails with 42P01 or 3F000 where no wall was ever raised:
/// that is drift too.
std::string wall_verify_sql(const Ruleset& rules, const WallOptions& options);

/// Names each difference; empty = the wall stands.
std::vector<WallDifference> verify_wall(const Ruleset& rules, const WallOptions& options,
                                        const std::vector<WallRow>& rows);

/// Where tenants have schemas: a SELECT of their roles that exist, one text each, ascending.
std::string tenant_roles_sql(const Ruleset& rules);

/// A single SELECT of one text: which form of the context's functions is installed. "sql", or
/// "extension" with the version of the library that is loaded (none where it is not).
std::string guard_form_sql();

/// A single SELECT of one text: SHA-256, in hex, computed by the server over the verification
/// query's rows. The caller remembers the value of the last clean verification and verifies in full
/// again when it changes.
std::string wall_hash_sql(const Ruleset& rules, const WallOptions& options);

/// kWallDrift with the first difference and their number; ok() where there is none.
Status wall_status(const std::vector<WallDifference>& differences);

}  // namespace postern::policy
