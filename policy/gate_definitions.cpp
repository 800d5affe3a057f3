// Definitions that would take the wall of a table down, or lead around it. Whoever may act as the
// owner of tables could run them within a transaction, look, and roll back. What DO blocks and
// functions do is for the event triggers (wall_kept.cpp).
#include <algorithm>

#include "base/codes/wall.hpp"
#include "policy/gate.hpp"
#include "policy/wall_state.hpp"

namespace postern::policy {
namespace {

using Uses = std::vector<sql::RelationUse>;

bool is_walled(const Judged& j, const sql::RelationUse& use) {
  return j.rules.tenant_tables.contains(use.oid);
}

/// A relation that the snapshot does not know may be a walled one under a new name.
bool may_be_walled(const Judged& j) {
  const Uses& uses = j.statement.relations;
  return uses.empty() ||
         std::any_of(uses.begin(), uses.end(), [&](const auto& use) { return is_walled(j, use); });
}

bool names_own_policy(const sql::GuardChange& guard) {
  return std::any_of(guard.policies.begin(), guard.policies.end(),
                     [](const std::string& name) { return is_own_policy(name); });
}

/// With the column goes the policy that reads it.
bool drops_tenant_column(const Judged& j) {
  const auto& dropped = j.statement.guard.columns;
  const Uses& uses = j.statement.relations;
  return std::any_of(uses.begin(), uses.end(), [&](const auto& use) {
    return is_walled(j, use) &&
           std::find(dropped.begin(), dropped.end(), j.rules.tenant_tables.at(use.oid).column) !=
               dropped.end();
  });
}

/// Read through its parent a table is governed by the parent's policies alone. Tables just made,
/// which the snapshot does not know, may be joined: a restored dump does so.
bool joins_unwalled(const Judged& j) {
  const auto& joins = j.statement.guard.joins;
  const auto& walled = j.rules.tenant_tables;
  return std::any_of(joins.begin(), joins.end(), [&](const auto& join) {
    return walled.contains(join.child) && !walled.contains(join.parent);
  });
}

bool changes_owner(const Judged& j) {
  const auto& owner = j.statement.guard.owner;
  if (!owner) return false;
  const Uses& uses = j.statement.relations;
  if (uses.empty()) return j.statement.name.empty();  // REASSIGN OWNED: of any table
  return std::any_of(uses.begin(), uses.end(), [&](const auto& use) {
    return is_walled(j, use) && j.catalog().relation(use.oid)->owner != *owner;
  });
}

std::string what_opens(const Judged& j) {
  const sql::GuardChange& guard = j.statement.guard;
  if (guard.opens_rows && may_be_walled(j)) return "disable row level security";
  if (names_own_policy(guard) && may_be_walled(j)) return "policy " + guard.policies.front();
  if (drops_tenant_column(j)) return "drop of the tenant column";
  if (joins_unwalled(j)) return "a parent without the same wall";
  return changes_owner(j) ? "another owner" : "";
}

}  // namespace

void gate_definitions(const Judged& j) {
  if (j.rules.tenant_tables.empty()) return;
  std::string what = what_opens(j);
  if (what.empty()) return;
  j.findings.refuse(pst::kOpensWall, std::move(what), "wall.definition", j.statement.span.begin);
}

}  // namespace postern::policy
