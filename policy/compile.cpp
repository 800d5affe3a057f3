// compile_ruleset(): the configuration against the catalog.
#include <algorithm>
#include <atomic>
#include <set>

#include "base/bytes.hpp"
#include "base/codes/gate.hpp"
#include "policy/closure.hpp"
#include "policy/compile_tenants.hpp"
#include "policy/glob.hpp"
#include "policy/ruleset.hpp"

namespace postern::policy {
namespace {

constexpr Oid kByteaOid = 17;
constexpr std::size_t kUuidHexDigits = 32;
constexpr std::size_t kUuidTextLength = 36;

std::string label(const ColumnRule& rule) {
  return rule.table + "." + rule.column;
}

Error bad_column(const ColumnRule& rule, const std::string& what) {
  return make_error(pst::kPolicyBadColumn, label(rule) + ": " + what);
}

/// 32 lower-case hex digits of a UUID in either spelling, empty where it is none.
std::string plain_uuid(std::string_view text) {
  std::string digits;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool hyphen_place = i == 8 || i == 13 || i == 18 || i == 23;
    if (text.size() == kUuidTextLength && hyphen_place) {
      if (text[i] != '-') return "";
      continue;
    }
    digits.push_back(text[i]);
  }
  const auto bytes = from_hex(digits);
  return bytes && digits.size() == kUuidHexDigits ? to_hex(*bytes) : "";
}

Result<std::string> require_uuid(const ColumnRule& rule, const std::string& text, const char* key) {
  std::string uuid = plain_uuid(text);
  if (!uuid.empty()) return uuid;
  return bad_column(rule, std::string(key) + (text.empty() ? " is missing" : " is not a UUID") +
                              "; make one with uuidgen, or SELECT gen_random_uuid(), and never "
                              "change it");
}

Result<const sql::Relation*> find_table(const Ruleset& rules, const ColumnRule& rule) {
  std::vector<const sql::Relation*> roots;
  for (const sql::Relation* relation : match_relations(*rules.catalog, rule.table)) {
    if (relation->parents.empty() || relation->qualified() == rule.table) {
      roots.push_back(relation);
    }
  }
  if (roots.empty()) {
    return make_error(pst::kPolicyUnknownTable,
                      "\"" + rule.table + "\"" + nearest_relation(*rules.catalog, rule.table));
  }
  if (roots.size() > 1) {
    return bad_column(rule, "the pattern matches " + std::to_string(roots.size()) +
                                " tables; each encrypted column needs a uuid of its own");
  }
  const sql::Relation& found = *roots.front();
  if (!is_table(found)) return bad_column(rule, "not a table");
  if (!found.parents.empty()) {
    const sql::Relation* parent = rules.catalog->relation(found.parents.front());
    return bad_column(rule, "a partition or child; protect the column of " +
                                (parent != nullptr ? parent->qualified() : "its parent"));
  }
  return &found;
}

bool stored_as_bytea(const sql::Catalog& catalog, Oid type) {
  if (type == kByteaOid) return true;
  const sql::Type* entry = catalog.type(type);
  return entry != nullptr && entry->kind == 'd' && entry->base == kByteaOid;
}

Status check_scope(const Ruleset& rules, const ColumnRule& rule, const sql::Relation& table,
                   const sql::Column& column) {
  if (column.generated) return bad_column(rule, "a generated column is made by the server");
  const auto tenant = rules.tenant_tables.find(table.oid);
  if (tenant == rules.tenant_tables.end()) {
    const bool one_tenants = rules.is_tenant_schema(table.schema);
    if (rule.scope == KeyScope::kGlobal || one_tenants) return ok();
    return bad_column(rule,
                      "the table has no tenant column to choose the key by; set key_scope = "
                      "\"global\"");
  }
  if (tenant->second.attnum == column.attnum) {
    return bad_column(rule, "the tenant column itself cannot be encrypted");
  }
  return ok();
}

Status add_references(Ruleset& rules, const ColumnRule& rule, const sql::Relation& table,
                      ColumnId id) {
  std::set<Oid> all;
  add_with_descendants(*rules.catalog, table.oid, all);
  for (const Oid oid : all) {
    const sql::Relation* relation = rules.catalog->relation(oid);
    const sql::Column* column = relation != nullptr ? relation->column(rule.column) : nullptr;
    if (column == nullptr) return bad_column(rule, "a partition or child lacks the column");
    if (!rules.column_index.emplace(ColumnRef{oid, column->attnum}, id).second) {
      return bad_column(rule, "protected twice");
    }
    rules.protected_tables.insert(oid);
  }
  return ok();
}

Result<ProtectedColumn> resolve(const Ruleset& rules, const ColumnRule& rule,
                                const sql::Relation& table) {
  const sql::Column* column = table.column(rule.column);
  if (column == nullptr) {
    return make_error(pst::kPolicyUnknownColumn, "\"" + rule.column + "\" of table " +
                                                     table.qualified() +
                                                     nearest_column(table, rule.column));
  }
  POSTERN_TRY(check_scope(rules, rule, table, *column));
  auto type = types::from_name(rule.type);
  if (!type) return bad_column(rule, type.error().message());
  ProtectedColumn out;
  out.ref = {table.oid, column->attnum};
  out.table = table.qualified();
  out.column = rule.column;
  POSTERN_ASSIGN(out.uuid, require_uuid(rule, rule.uuid, "uuid"));
  out.link_group = out.uuid;
  if (!rule.link_group.empty()) {
    if (rule.scheme != Scheme::kDeterministic) {
      return bad_column(rule, "only deterministic columns can be in a link group");
    }
    POSTERN_ASSIGN(out.link_group, require_uuid(rule, rule.link_group, "link_group"));
  }
  out.scheme = rule.scheme;
  out.scope = rule.scope;
  out.type = *type;
  out.stored_type = column->type;
  out.stored_sealed = stored_as_bytea(*rules.catalog, column->type);
  return out;
}

/// Equal values must have equal ciphertexts inside a group, and only there.
Status check_groups(const Ruleset& rules, const ColumnRule& rule, const ProtectedColumn& added) {
  for (const ProtectedColumn& other : rules.columns) {
    if (other.uuid == added.uuid) {
      return bad_column(rule, "has the uuid of " + other.table + "." + other.column);
    }
    if (other.link_group != added.link_group) continue;
    if (other.scope != added.scope ||
        types::type_family(other.type) != types::type_family(added.type)) {
      return bad_column(rule, "differs in key scope or type family from " + other.table + "." +
                                  other.column + " of its link group");
    }
  }
  return ok();
}

Status compile_columns(Ruleset& rules) {
  for (const ColumnRule& rule : rules.options.columns) {
    POSTERN_ASSIGN(const sql::Relation* table, find_table(rules, rule));
    POSTERN_ASSIGN(ProtectedColumn column, resolve(rules, rule, *table));
    POSTERN_TRY(check_groups(rules, rule, column));
    const ColumnId id{static_cast<std::uint32_t>(rules.columns.size())};
    POSTERN_TRY(add_references(rules, rule, *table, id));
    rules.columns.push_back(std::move(column));
  }
  return ok();
}

}  // namespace

Result<std::shared_ptr<const Ruleset>> compile_ruleset(
    const PolicyOptions& options, std::shared_ptr<const sql::Catalog> catalog) {
  static std::atomic<std::uint64_t> next_epoch{1};
  auto rules = std::make_shared<Ruleset>();
  rules->epoch = next_epoch.fetch_add(1);
  rules->mode = options.mode;
  rules->catalog = std::move(catalog);
  rules->options = options;
  POSTERN_TRY(compile_tenants(*rules));
  POSTERN_TRY(compile_columns(*rules));
  rules->is_protected = rules->separates_tenants() || !rules->columns.empty();
  return std::shared_ptr<const Ruleset>(std::move(rules));
}

}  // namespace postern::policy
