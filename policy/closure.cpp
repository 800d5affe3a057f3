#include "policy/closure.hpp"

namespace postern::policy {

void add_with_descendants(const sql::Catalog& catalog, Oid oid, std::set<Oid>& out) {
  if (!out.insert(oid).second) return;
  const sql::Relation* relation = catalog.relation(oid);
  if (relation == nullptr) return;
  for (const Oid child : relation->children) add_with_descendants(catalog, child, out);
}

void add_ancestors(const sql::Catalog& catalog, Oid oid, std::set<Oid>& out) {
  const sql::Relation* relation = catalog.relation(oid);
  if (relation == nullptr) return;
  for (const Oid parent : relation->parents) {
    if (out.insert(parent).second) add_ancestors(catalog, parent, out);
  }
}

bool is_view(const sql::Relation& relation) {
  return relation.kind == sql::RelationKind::kView ||
         relation.kind == sql::RelationKind::kMaterializedView;
}

bool is_table(const sql::Relation& relation) {
  return relation.kind == sql::RelationKind::kTable ||
         relation.kind == sql::RelationKind::kPartitionedTable;
}

bool in_system_schema(const sql::Relation& relation) {
  return relation.schema == "pg_catalog" || relation.schema == "information_schema" ||
         relation.schema == "postern" || relation.schema.starts_with("pg_toast") ||
         relation.schema.starts_with("pg_temp_");
}

}  // namespace postern::policy
