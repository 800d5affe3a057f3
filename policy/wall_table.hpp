// What the wall asks of one table or view, and the statements that bring it about: shared by plan,
// verification and its repairs.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "policy/ruleset.hpp"

namespace postern::policy {

/// Whom the permissive `true` policy lets through to the restrictive tenant policy: those who saw
/// the table's rows before the wall.
enum class Allow : std::uint8_t {
  kNone,    ///< the table's own policies decide
  kOwner,   ///< row security bound all but the owner, whom FORCE would bind now too
  kPublic,  ///< row security was off
};
const char* to_word(Allow allow);

struct WalledTable {
  const sql::Relation* relation = nullptr;
  std::string name;        ///< quoted, qualified
  std::string expression;  ///< of USING and WITH CHECK
  /// squeeze() of the same as pg_get_expr() prints it under search_path = '': without, and with, a
  /// cast of the column to the type it is compared as (varchar and domains).
  std::array<std::string, 2> printed;
  Allow allow = Allow::kPublic;
  std::vector<BusinessRule> rules;  ///< of the configuration, ascending by name
  /// False where a permissive business policy decides: the policy of `allow` lets nothing through
  /// then, and only remembers what there was.
  bool open = true;
};

/// Ascending by name. kPolicyBadColumn for a tenant column of an unsuitable type.
Result<std::vector<WalledTable>> walled_tables(const Ruleset& rules);

/// Views (not materialised) that read a tenant table, ascending by name.
std::vector<const sql::Relation*> walled_views(const Ruleset& rules);

std::string tenant_policy_sql(const WalledTable& table);
/// Whether a policy's text (kPolicyTextSql) is exactly that of the wall over a column of this name,
/// of whichever type a tenant column may be.
bool is_tenant_policy_on(std::string_view column, std::string_view text);
/// Empty for Allow::kNone.
std::string allow_policy_sql(const WalledTable& table, Allow allow);

/// Text compared without regard to blanks and brackets, which PostgreSQL's printing may vary.
std::string squeeze(std::string_view expression);

}  // namespace postern::policy
