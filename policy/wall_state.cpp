#include "policy/wall_state.hpp"

#include "policy/sql_quote.hpp"

namespace postern::policy {

namespace {

// Expressions are printed as the verification prints them: nothing visible but pg_catalog.
std::string printed_where(const std::string& condition) {
  return "ARRAY(\n  SELECT pg_catalog.concat(p.polname, '|', " + std::string(kPolicyTextSql) +
         ")\n  FROM pg_policy AS p WHERE p.polrelid = relation AND " + condition +
         " ORDER BY p.polname)";
}

}  // namespace

std::string known_policies_sql() {
  return printed_where("p.polname NOT IN (" + quote_literal(kTenantPolicy) + ", " +
                       quote_literal(kAllowPolicy) + ", " + quote_literal(kAllowOwnerPolicy) +
                       ") AND NOT starts_with(p.polname::text, " + quote_literal(kRulePrefix) +
                       ")");
}

std::string printed_rules_sql() {
  return printed_where("starts_with(p.polname::text, " + quote_literal(kRulePrefix) + ")");
}

std::string remember_policies_sql(const std::string& table) {
  return "UPDATE postern.wall_state SET known = " + known_policies_sql() +
         "\n  WHERE relation = " + quote_literal(table) + "::regclass;\n";
}

}  // namespace postern::policy
