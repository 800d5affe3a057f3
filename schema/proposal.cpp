#include "schema/proposal.hpp"

#include <algorithm>
#include <map>

#include "types/logical_type.hpp"

namespace postern::schema {
namespace {

const InspectedColumn* find(const InspectedTable& table, std::string_view name) {
  const auto it = std::find_if(table.columns.begin(), table.columns.end(),
                               [&](const InspectedColumn& column) { return column.name == name; });
  return it == table.columns.end() ? nullptr : &*it;
}

/// The candidate that most tables have; among equals the more usual name.
std::string best_candidate(const Inspection& inspection) {
  std::string best;
  std::ptrdiff_t most = 1;  // in one table it is no tenant column, but a column
  for (const std::string& name : tenant_candidates()) {
    const auto tables =
        std::count_if(inspection.tables.begin(), inspection.tables.end(),
                      [&](const InspectedTable& table) { return find(table, name) != nullptr; });
    if (tables > most) best = name, most = tables;
  }
  return best;
}

std::string tenant_type_name(std::string_view type) {
  const std::string_view base = type.substr(0, type.find('('));
  if (base == "text") return "text";
  if (base == "character varying") return "varchar";
  if (base == "uuid") return "uuid";
  if (base == "integer") return "int4";
  if (base == "bigint") return "int8";
  return "";
}

TenantProposal describe(const Inspection& inspection, const std::string& column) {
  TenantProposal out;
  out.column = column;
  std::map<std::string, std::vector<std::string>> by_type;
  for (const InspectedTable& table : inspection.tables) {
    if (const InspectedColumn* found = find(table, column)) {
      by_type[found->type].push_back(table.name);
      ++out.tables_with;
    } else {
      ++out.tables_without;
    }
  }
  const auto usual = std::max_element(
      by_type.begin(), by_type.end(),
      [](const auto& a, const auto& b) { return a.second.size() < b.second.size(); });
  out.declared_type = usual->first;
  out.type = tenant_type_name(usual->first);
  for (const auto& [type, tables] : by_type) {
    if (type == usual->first) continue;
    for (const std::string& table : tables) out.other_types.push_back(table + " (" + type + ")");
  }
  return out;
}

std::string other_candidate(const InspectedTable& table) {
  for (const std::string& name : tenant_candidates()) {
    if (find(table, name) != nullptr) return name;
  }
  return "";
}

std::string evidence_of(const InspectedColumn& column) {
  const std::string values = "the form of " + std::to_string(column.sampled) + " sampled values";
  if (column.named_so && column.valued_so) return "name and " + values;
  return column.named_so ? "name" : values;
}

std::string scheme_of(const std::string& type, PiiKind kind) {
  if (!types::from_name(type)) return "";
  return wants_equality(kind) ? "deterministic" : "randomized";
}

}  // namespace

const std::vector<std::string>& tenant_candidates() {
  static const std::vector<std::string> kNames{
      "tenant_id",   "tenant",      "org_id",     "organization_id", "organisation_id",
      "account_id",  "customer_id", "company_id", "workspace_id",    "client_id",
      "team_id",     "shop_id",     "store_id",   "site_id",         "project_id",
      "tenant_uuid", "tenantid",    "org",        "organization",    "customer"};
  return kNames;
}

Proposal propose(const Inspection& inspection) {
  Proposal out;
  const std::string column = best_candidate(inspection);
  if (!column.empty()) out.tenant = describe(inspection, column);
  for (const InspectedTable& table : inspection.tables) {
    if (out.tenant && find(table, column) == nullptr) {
      const std::string other = other_candidate(table);
      if (other.empty()) {
        out.shared.push_back(table.name);
      } else {
        out.others.push_back({table.name, other});
      }
    }
    for (const InspectedColumn& found : table.columns) {
      if (!found.pii || found.name == column) continue;
      out.pii.push_back({table.name, found.name, found.type, *found.pii, evidence_of(found),
                         scheme_of(found.type, *found.pii)});
    }
  }
  return out;
}

}  // namespace postern::schema
