#include "policy/wall_rules.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "policy/closure.hpp"
#include "policy/glob.hpp"
#include "policy/sql_quote.hpp"
#include "policy/wall_state.hpp"

namespace postern::policy {
namespace {

const char* command_word(char command) {
  switch (command) {
    case 'r':
      return "SELECT";
    case 'a':
      return "INSERT";
    case 'w':
      return "UPDATE";
    case 'd':
      return "DELETE";
    default:
      return "ALL";
  }
}

std::string role_list(const BusinessRule& rule) {
  if (rule.roles.empty()) return "PUBLIC";
  std::string out;
  for (const std::string& role : rule.roles) {
    if (!out.empty()) out += ", ";
    out += role == "public" ? "PUBLIC" : quote_ident(role);
  }
  return out;
}

}  // namespace

std::vector<BusinessRule> rules_for(const Ruleset& rules, const sql::Relation& relation) {
  std::set<Oid> family{relation.oid};
  add_ancestors(*rules.catalog, relation.oid, family);
  std::map<std::string, BusinessRule> found;
  for (const TableRule& table : rules.options.tables) {
    const bool matches = std::any_of(family.begin(), family.end(), [&](Oid oid) {
      const sql::Relation* one = rules.catalog->relation(oid);
      return one != nullptr && glob_match(table.table, one->qualified());
    });
    if (!matches) continue;
    for (const BusinessRule& rule : table.policies) found[rule.name] = rule;
  }
  std::vector<BusinessRule> out;
  for (auto& [name, rule] : found) out.push_back(std::move(rule));
  return out;
}

bool has_permissive(const std::vector<BusinessRule>& rules) {
  return std::any_of(rules.begin(), rules.end(),
                     [](const BusinessRule& rule) { return rule.permissive; });
}

std::string rule_name(const BusinessRule& rule) {
  return std::string(kRulePrefix) + rule.name;
}

std::string rule_clauses(const BusinessRule& rule) {
  std::string sql = rule.permissive ? " AS PERMISSIVE FOR " : " AS RESTRICTIVE FOR ";
  sql += std::string(command_word(rule.command)) + " TO " + role_list(rule);
  // On lines of their own: a comment in the text does not swallow the bracket.
  if (!rule.using_text.empty()) sql += "\n  USING (\n" + rule.using_text + "\n)";
  if (!rule.check_text.empty()) sql += "\n  WITH CHECK (\n" + rule.check_text + "\n)";
  return sql;
}

std::string rule_source(const BusinessRule& rule) {
  return rule_name(rule) + "|" + rule_clauses(rule);
}

std::string rules_sql(const std::string& table, const std::vector<BusinessRule>& rules) {
  const std::string relation = quote_literal(table) + "::regclass";
  std::string sql =
      "DO $postern$\nDECLARE policy record;\nBEGIN\n"
      "  FOR policy IN SELECT p.polname FROM pg_policy AS p WHERE p.polrelid = " +
      relation + " AND starts_with(p.polname::text, " + quote_literal(kRulePrefix) +
      ") LOOP\n    EXECUTE format('DROP POLICY %I ON %s', policy.polname, " + relation +
      ");\n  END LOOP;\nEND\n$postern$;\n";
  std::string sources;
  for (const BusinessRule& rule : rules) {
    sql += "CREATE POLICY " + quote_ident(rule_name(rule)) + " ON " + table + rule_clauses(rule) +
           ";\n";
    sources += (sources.empty() ? "" : ", ") + quote_literal(rule_source(rule));
  }
  return sql + "UPDATE postern.wall_state SET rule_source = ARRAY[" + sources +
         "]::text[], rule_printed = " + printed_rules_sql() + "\n  WHERE relation = " + relation +
         ";\n";
}

}  // namespace postern::policy
