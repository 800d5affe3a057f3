// Business policies of the configuration ([[table.policies]]), installed with the wall under names
// of their own.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "policy/ruleset.hpp"

namespace postern::policy {

/// In front of a business policy's name on the server.
inline constexpr std::string_view kRulePrefix = "postern_rule_";
inline constexpr std::size_t kMaxRuleName = 50;

/// Those of every [[table]] that matches the relation or a parent of it: a partition named directly
/// has only policies of its own. Ascending by name; of equal names the last one.
std::vector<BusinessRule> rules_for(const Ruleset& rules, const sql::Relation& relation);

[[nodiscard]] bool has_permissive(const std::vector<BusinessRule>& rules);

std::string rule_name(const BusinessRule& rule);

/// What follows "CREATE POLICY name ON table".
std::string rule_clauses(const BusinessRule& rule);

/// The rule as configured, in one text: compared with what was applied. Starts with its name.
std::string rule_source(const BusinessRule& rule);

/// Replaces the business policies of a table (quoted name) by these, and records them.
std::string rules_sql(const std::string& table, const std::vector<BusinessRule>& rules);

}  // namespace postern::policy
