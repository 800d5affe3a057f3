// Private to policy/: the wall between tenants that have schemas. What wall_plan.hpp and
// wall_verify.hpp offer, in the words of privileges.
#pragma once

#include <string>
#include <vector>

#include "policy/wall_verify.hpp"

namespace postern::policy {

/// wall_plan() where tenants have schemas: roles, grants, and what verification would name as far
/// as it is a matter of grants. What it did is written down in postern.schema_state.
std::string schema_wall_plan(const Ruleset& rules, const WallOptions& options);

/// Takes back what postern.schema_state remembers, the latest first. Nothing where there is none.
extern const std::string_view kRestoreSchemasSql;

/// wall_verify_sql() likewise: each row is one difference. Empty: the wall stands.
std::string schema_verify_sql(const Ruleset& rules, const WallOptions& options);
std::vector<WallDifference> schema_differences(const std::vector<WallRow>& rows);

/// Condition: `name`, SQL of type text, is made by the template.
std::string template_matches_sql(const NameTemplate& made, const std::string& name);

/// The statement's prefix "WITH RECURSIVE …" that both stand on, and the query of differences:
/// object, problem, repair, undo; undo is empty where the plan leaves the repair to people.
///   tenant_schema  every schema of the template, with its role where that exists
///   bound          roles that one tenant, or a login without tenant, works as
///   member         bound roles and all roles they are members of
std::string schema_wall_prefix(const Ruleset& rules, const WallOptions& options);
std::string schema_wall_findings(const Ruleset& rules);

}  // namespace postern::policy
