// First half of compile_ruleset(): which relations hold tenants' rows.
#pragma once

#include "base/result.hpp"
#include "policy/ruleset.hpp"

namespace postern::policy {

/// Fills tenant_tables and unwallable of `rules`, whose catalog and options are set.
Status compile_tenants(Ruleset& rules);

/// The relations of user schemas whose "schema.name" the pattern matches, ascending by oid.
std::vector<const sql::Relation*> match_relations(const sql::Catalog& catalog,
                                                  std::string_view pattern);

/// "; did you mean \"public.users\"?", or empty.
std::string nearest_relation(const sql::Catalog& catalog, std::string_view name);
std::string nearest_column(const sql::Relation& relation, std::string_view name);

}  // namespace postern::policy
