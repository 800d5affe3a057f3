// Relations that hang together: partitions, inheritance, foreign-key cascades, views.
#pragma once

#include <set>
#include <vector>

#include "sql/catalog.hpp"

namespace postern::policy {

/// `oid` and everything below it: partitions, their partitions, inheritance children.
void add_with_descendants(const sql::Catalog& catalog, Oid oid, std::set<Oid>& out);

/// Parents, their parents, and so on, without `oid`.
void add_ancestors(const sql::Catalog& catalog, Oid oid, std::set<Oid>& out);

/// Whether the relation, or one it is a view of, is in `wanted` (a set or map keyed by Oid).
template <typename Wanted>
bool reaches(const sql::Relation& relation, const Wanted& wanted) {
  if (wanted.contains(relation.oid)) return true;
  for (const Oid oid : relation.depends_on) {
    if (wanted.contains(oid)) return true;
  }
  return false;
}

/// True for views and materialised views.
[[nodiscard]] bool is_view(const sql::Relation& relation);
/// True for tables that row security can be enabled on.
[[nodiscard]] bool is_table(const sql::Relation& relation);
/// Schemas of the server itself and of Postern.
[[nodiscard]] bool in_system_schema(const sql::Relation& relation);

}  // namespace postern::policy
