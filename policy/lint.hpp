// Lint: what in a database weakens the wall, though no part of the wall itself was changed.
//
// Pure: SQL text per rule, run by app/ (`postern policy lint`). Verification (wall_verify.hpp)
// compares the wall with its plan; lint looks at everything around it: roles, grants, keys, views,
// functions, extensions, settings.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/ruleset.hpp"
#include "policy/wall_plan.hpp"

namespace postern::policy {

struct LintRule {
  std::string_view id;     ///< "L01"; never reused
  std::string_view title;  ///< what is found, one line
  std::string_view risk;   ///< what follows from it, one sentence without the dot
  /// SELECT of three texts: object, reason, repairing SQL. Reads the tables of lint_sql's prefix.
  /// Empty for the rule about the server's version.
  std::string_view sql;
};

struct LintFinding {
  std::string rule;
  std::string object;
  std::string reason;
  std::string repair;  ///< SQL, or a sentence starting with "--"
};

/// All rules, ascending by id. Static storage.
std::vector<LintRule> lint_rules();

/// The statement of one rule. Run with search_path = '', as any login that may connect; rows are
/// (object, reason, repair), ordered by object.
std::string lint_sql(const LintRule& rule, const Ruleset& rules, const WallOptions& options);

/// The finding about a server of this version (150020 for 15.20), if there is one.
std::vector<LintFinding> lint_version(int version);

/// Whether `accepted` holds the finding: "L19" (the rule everywhere) or "L19 public.orders" (there;
/// `*` and `?` are globs over the object).
bool is_accepted(const LintFinding& finding, const std::vector<std::string>& accepted);

// The rules by what they look at; lint_rules() joins them.
std::span<const LintRule> lint_table_rules();
std::span<const LintRule> lint_key_rules();
std::span<const LintRule> lint_grant_rules();
std::span<const LintRule> lint_role_rules();
std::span<const LintRule> lint_code_rules();
std::span<const LintRule> lint_server_rules();

}  // namespace postern::policy
