// Tenants by schema. The database's privileges are the wall; here what they would refuse is refused
// before it leaves, and told as a violation.
#include <algorithm>

#include "base/codes/gate.hpp"
#include "policy/closure.hpp"
#include "policy/gate.hpp"
#include "policy/glob.hpp"

namespace postern::policy {
namespace {

bool is_one_of(const std::vector<std::string>& globs, const std::string& name) {
  return std::any_of(globs.begin(), globs.end(),
                     [&](const std::string& glob) { return glob_match(glob, name); });
}

/// Who works for all tenants has none: migrations and backups reach every schema.
bool is_bound(const Judged& j) {
  return j.has_tenant || (j.profile != Profile::kMigrator && j.profile != Profile::kBackup);
}

void refuse(const Judged& j, Pst code, const std::string& name) {
  j.findings.refuse(code, std::string(sql::to_word(j.statement.kind)) + " on " + name,
                    "wall.schema", j.statement.span.begin);
}

/// A view that was declared to show several tenants' rows.
bool through_trusted(const Judged& j, const sql::RelationUse& use) {
  const sql::Relation* view = use.via == kInvalidOid ? nullptr : j.catalog().relation(use.via);
  return view != nullptr && is_one_of(j.rules.options.schemas->trusted, view->qualified());
}

void gate_relation(const Judged& j, const sql::Relation& relation, const sql::RelationUse& use) {
  if (relation.schema == j.schema) return;
  if (j.rules.is_tenant_schema(relation.schema)) {
    if (!through_trusted(j, use)) refuse(j, pst::kOtherTenantsSchema, relation.qualified());
    return;
  }
  if (in_system_schema(relation)) return;
  // What a view shows, its owner decided; the view itself has to be the tenant's or shared.
  if (use.via != kInvalidOid || is_one_of(j.rules.options.shared, relation.qualified())) return;
  refuse(j, pst::kSchemaNotShared, relation.qualified());
}

}  // namespace

bool in_tenant_schema(const Judged& judged, Oid relation) {
  const sql::Relation* found = judged.catalog().relation(relation);
  return found != nullptr && judged.rules.is_tenant_schema(found->schema);
}

void gate_schemas(const Judged& j) {
  if (!j.rules.options.schemas || !is_bound(j)) return;
  for (const sql::RelationUse& use : j.statement.relations) {
    const sql::Relation* relation = j.catalog().relation(use.oid);
    if (relation != nullptr) gate_relation(j, *relation, use);
  }
  for (const Oid oid : j.statement.routines) {
    const sql::Routine* routine = j.catalog().routine(oid);
    if (routine == nullptr || routine->schema == j.schema) continue;
    if (!j.rules.is_tenant_schema(routine->schema)) continue;
    refuse(j, pst::kOtherTenantsSchema, routine->schema + "." + routine->name);
  }
}

}  // namespace postern::policy
