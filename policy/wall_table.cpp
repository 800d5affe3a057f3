#include "policy/wall_table.hpp"

#include <algorithm>

#include "base/codes/gate.hpp"
#include "policy/closure.hpp"
#include "policy/sql_quote.hpp"
#include "policy/tenant_type.hpp"
#include "policy/wall_plan.hpp"
#include "policy/wall_rules.hpp"

namespace postern::policy {
namespace {

bool has_policy(const sql::Relation& relation, std::string_view name) {
  return std::any_of(relation.policies.begin(), relation.policies.end(),
                     [&](const sql::RowPolicy& policy) { return policy.name == name; });
}

bool has_permissive_policy(const sql::Relation& relation) {
  return std::any_of(relation.policies.begin(), relation.policies.end(),
                     [](const sql::RowPolicy& policy) { return policy.permissive; });
}

// A table that bears the wall already keeps the choice made when it was first raised.
Allow choose_allow(const sql::Relation& relation) {
  if (has_policy(relation, kAllowPolicy)) return Allow::kPublic;
  if (has_policy(relation, kAllowOwnerPolicy)) return Allow::kOwner;
  if (has_policy(relation, kTenantPolicy)) return Allow::kNone;
  if (!relation.row_security)
    return has_permissive_policy(relation) ? Allow::kNone : Allow::kPublic;
  return relation.force_row_security ? Allow::kNone : Allow::kOwner;
}

const char* printed_type(TenantType type) {
  switch (type) {
    case TenantType::kText:
      return "text";
    case TenantType::kBpchar:
      return "bpchar";
    case TenantType::kInt2:
      return "smallint";
    case TenantType::kInt4:
      return "integer";
    case TenantType::kInt8:
      return "bigint";
    case TenantType::kUuid:
      return "uuid";
  }
  return "";
}

std::array<std::string, 2> printed_forms(std::string_view column, TenantType type) {
  const std::string cast = std::string("::") + printed_type(type);
  const std::string right = std::string("= ( SELECT postern.tenant()") +
                            (type == TenantType::kText ? "" : cast) + " AS tenant)";
  const std::string left(column);
  return {squeeze(left + right), squeeze(left + cast + right)};
}

Result<WalledTable> walled_table(const Ruleset& rules, const TenantTable& tenant) {
  const sql::Relation& relation = *rules.catalog->relation(tenant.oid);
  const sql::Column& column = *relation.column(tenant.attnum);
  const auto type = tenant_type(*rules.catalog, column.type);
  if (!type) {
    return make_error(pst::kPolicyBadColumn,
                      tenant.table + "." + tenant.column +
                          ": a tenant column is text, varchar, char, smallint, integer, bigint or "
                          "uuid");
  }
  const std::string_view cast = cast_target(*type);
  WalledTable out;
  out.relation = &relation;
  out.name = quote_relation(relation);
  out.expression = quote_ident(tenant.column) + " = (SELECT postern.tenant()" +
                   (cast.empty() ? "" : "::" + std::string(cast)) + ")";
  out.printed = printed_forms(tenant.column, *type);
  out.allow = choose_allow(relation);
  out.rules = rules_for(rules, relation);
  out.open = !has_permissive(out.rules);
  return out;
}

}  // namespace

const char* to_word(Allow allow) {
  switch (allow) {
    case Allow::kNone:
      return "none";
    case Allow::kOwner:
      return "owner";
    case Allow::kPublic:
      return "public";
  }
  return "none";
}

Result<std::vector<WalledTable>> walled_tables(const Ruleset& rules) {
  std::vector<WalledTable> out;
  for (const auto& [oid, tenant] : rules.tenant_tables) {
    POSTERN_ASSIGN(WalledTable table, walled_table(rules, tenant));
    out.push_back(std::move(table));
  }
  std::sort(out.begin(), out.end(),
            [](const WalledTable& a, const WalledTable& b) { return a.name < b.name; });
  return out;
}

std::vector<const sql::Relation*> walled_views(const Ruleset& rules) {
  std::vector<const sql::Relation*> out;
  for (const auto& [oid, relation] : rules.catalog->relations()) {
    if (relation.kind != sql::RelationKind::kView || in_system_schema(relation)) continue;
    if (reaches(relation, rules.tenant_tables)) out.push_back(&relation);
  }
  std::sort(out.begin(), out.end(), [](const sql::Relation* a, const sql::Relation* b) {
    return a->qualified() < b->qualified();
  });
  return out;
}

std::string tenant_policy_sql(const WalledTable& table) {
  const std::string policy(kTenantPolicy);
  return "DROP POLICY IF EXISTS " + policy + " ON " + table.name + ";\nCREATE POLICY " + policy +
         " ON " + table.name + " AS RESTRICTIVE FOR ALL TO PUBLIC\n  USING (" + table.expression +
         ")\n  WITH CHECK (" + table.expression + ");\n";
}

bool is_tenant_policy_on(std::string_view column, std::string_view text) {
  const std::string found = squeeze(text);
  for (const TenantType type : {TenantType::kText, TenantType::kBpchar, TenantType::kInt2,
                                TenantType::kInt4, TenantType::kInt8, TenantType::kUuid}) {
    for (const std::string& form : printed_forms(column, type)) {
      if (found == "restrictive|*|public|" + form + "|" + form) return true;
    }
  }
  return false;
}

std::string allow_policy_sql(const WalledTable& table, Allow allow) {
  if (allow == Allow::kNone) return "";
  const std::string policy(allow == Allow::kPublic ? kAllowPolicy : kAllowOwnerPolicy);
  const std::string to = allow == Allow::kPublic ? "PUBLIC" : quote_ident(table.relation->owner);
  const std::string lets = table.open ? "true" : "false";
  return "DROP POLICY IF EXISTS " + policy + " ON " + table.name + ";\nCREATE POLICY " + policy +
         " ON " + table.name + " AS PERMISSIVE FOR ALL TO " + to + " USING (" + lets +
         ") WITH CHECK (" + lets + ");\n";
}

std::string squeeze(std::string_view expression) {
  std::string out;
  for (const char c : expression) {
    if (c != ' ' && c != '\n' && c != '\t' && c != '(' && c != ')' && c != '"') out.push_back(c);
  }
  return out;
}

}  // namespace postern::policy
