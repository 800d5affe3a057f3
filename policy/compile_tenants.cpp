#include "policy/compile_tenants.hpp"

#include <algorithm>
#include <set>

#include "base/bytes.hpp"
#include "base/codes/gate.hpp"
#include "policy/closure.hpp"
#include "policy/glob.hpp"

namespace postern::policy {
namespace {

std::string suggestion(const std::vector<std::string_view>& candidates, std::string_view name) {
  const std::string_view best =
      nearest_word(name, candidates.data(), candidates.data() + candidates.size());
  return best.empty() ? "" : "; did you mean \"" + std::string(best) + "\"?";
}

bool is_shared(const PolicyOptions& options, const std::string& name) {
  return std::any_of(options.shared.begin(), options.shared.end(),
                     [&](const std::string& glob) { return glob_match(glob, name); });
}

/// The last rule that matches, or nullptr.
const TableRule* rule_of(const PolicyOptions& options, const std::string& name) {
  const TableRule* found = nullptr;
  for (const TableRule& rule : options.tables) {
    if (glob_match(rule.table, name)) found = &rule;
  }
  return found;
}

Status check_rules(const Ruleset& rules) {
  for (const TableRule& rule : rules.options.tables) {
    if (has_glob(rule.table) || !match_relations(*rules.catalog, rule.table).empty()) continue;
    return make_error(pst::kPolicyUnknownTable,
                      "\"" + rule.table + "\"" + nearest_relation(*rules.catalog, rule.table));
  }
  return ok();
}

void add_tenant_table(Ruleset& rules, const sql::Relation& relation, const sql::Column& column) {
  rules.tenant_tables[relation.oid] =
      TenantTable{relation.oid, relation.qualified(), column.attnum, column.name};
}

/// The name of the tenant column the options give this relation, empty if none; an error where a
/// rule names a column the relation lacks.
Result<std::string> tenant_column_of(const Ruleset& rules, const sql::Relation& relation) {
  const PolicyOptions& options = rules.options;
  const TableRule* rule = rule_of(options, relation.qualified());
  if (rule != nullptr && !rule->tenant_column.empty()) {
    if (relation.column(rule->tenant_column) != nullptr) return rule->tenant_column;
    return make_error(pst::kPolicyUnknownColumn, "\"" + rule->tenant_column + "\" of table " +
                                                     relation.qualified() +
                                                     nearest_column(relation, rule->tenant_column));
  }
  if (options.tenant_column.empty() || is_shared(options, relation.qualified())) {
    return std::string();
  }
  return relation.column(options.tenant_column) != nullptr ? options.tenant_column : std::string();
}

/// What stands below a tenant table is one too: it is reachable by its own name.
void close_over_children(Ruleset& rules) {
  std::vector<std::pair<Oid, std::string>> roots;
  for (const auto& [oid, tenant] : rules.tenant_tables) roots.emplace_back(oid, tenant.column);
  for (const auto& [root, column_name] : roots) {
    std::set<Oid> below;
    add_with_descendants(*rules.catalog, root, below);
    for (const Oid oid : below) {
      const sql::Relation* relation = rules.catalog->relation(oid);
      if (relation == nullptr || rules.tenant_tables.contains(oid)) continue;
      const sql::Column* column = relation->column(column_name);
      if (column != nullptr && is_table(*relation))
        add_tenant_table(rules, *relation, *column);
      else
        rules.unwallable.insert(oid);  // a foreign partition
    }
  }
}

/// A parent without the tenant column shows its children's rows without their policies.
void find_unwallable_parents(Ruleset& rules) {
  for (const auto& [oid, tenant] : rules.tenant_tables) {
    std::set<Oid> above;
    add_ancestors(*rules.catalog, oid, above);
    for (const Oid parent : above) {
      if (!rules.tenant_tables.contains(parent)) rules.unwallable.insert(parent);
    }
  }
}

void find_unwallable_views(Ruleset& rules) {
  for (const auto& [oid, relation] : rules.catalog->relations()) {
    if (relation.kind != sql::RelationKind::kMaterializedView || in_system_schema(relation)) {
      continue;
    }
    if (is_shared(rules.options, relation.qualified())) continue;
    if (reaches(relation, rules.tenant_tables)) rules.unwallable.insert(oid);
  }
}

}  // namespace

std::vector<const sql::Relation*> match_relations(const sql::Catalog& catalog,
                                                  std::string_view pattern) {
  std::vector<const sql::Relation*> out;
  for (const auto& [oid, relation] : catalog.relations()) {
    if (in_system_schema(relation)) continue;
    if (glob_match(pattern, relation.qualified())) out.push_back(&relation);
  }
  std::sort(out.begin(), out.end(),
            [](const sql::Relation* a, const sql::Relation* b) { return a->oid < b->oid; });
  return out;
}

std::string nearest_relation(const sql::Catalog& catalog, std::string_view name) {
  std::vector<std::string> names;
  for (const sql::Relation* relation : match_relations(catalog, "*")) {
    names.push_back(relation->qualified());
  }
  return suggestion({names.begin(), names.end()}, name);
}

std::string nearest_column(const sql::Relation& relation, std::string_view name) {
  std::vector<std::string_view> names;
  for (const sql::Column& column : relation.columns) names.push_back(column.name);
  return suggestion(names, name);
}

Status compile_tenants(Ruleset& rules) {
  POSTERN_TRY(check_rules(rules));
  for (const auto& [oid, relation] : rules.catalog->relations()) {
    if (in_system_schema(relation) || relation.persistence == sql::Persistence::kTemporary) {
      continue;
    }
    const bool foreign = relation.kind == sql::RelationKind::kForeignTable;
    if (!is_table(relation) && !foreign) continue;
    POSTERN_ASSIGN(const std::string column, tenant_column_of(rules, relation));
    if (column.empty()) continue;
    if (foreign)
      rules.unwallable.insert(oid);
    else
      add_tenant_table(rules, relation, *relation.column(column));
  }
  close_over_children(rules);
  find_unwallable_parents(rules);
  find_unwallable_views(rules);
  return ok();
}

}  // namespace postern::policy
