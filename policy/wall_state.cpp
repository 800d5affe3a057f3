#include "policy/wall_state.hpp"

#include "policy/sql_quote.hpp"

namespace postern::policy {

std::string remember_policies_sql(const std::string& table) {
  // Expressions are printed as the verification prints them: nothing visible but pg_catalog.
  return "UPDATE postern.wall_state SET known = ARRAY(\n"
         "  SELECT pg_catalog.concat(p.polname, '|', " +
         std::string(kPolicyTextSql) +
         ")\n  FROM pg_policy AS p WHERE p.polrelid = relation AND p.polname NOT IN (" +
         quote_literal(kTenantPolicy) + ", " + quote_literal(kAllowPolicy) + ", " +
         quote_literal(kAllowOwnerPolicy) +
         ") ORDER BY p.polname)\n  WHERE relation = " + quote_literal(table) + "::regclass;\n";
}

}  // namespace postern::policy
