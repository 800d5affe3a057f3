// Which tables a statement may change: the cache marks them before the commit is acknowledged.
#include <algorithm>

#include "policy/closure.hpp"
#include "policy/effects.hpp"
#include "sql/effects.hpp"

namespace postern::policy {
namespace {

using Kind = sql::StatementKind;

/// Kinds that run statements we do not see, or change tables in ways we do not follow.
bool runs_anything(Kind kind) {
  switch (kind) {
    case Kind::kDo:
    case Kind::kCall:
    case Kind::kExecute:
    case Kind::kCommitPrepared:
    case Kind::kTruncate:
    case Kind::kCreate:
    case Kind::kAlter:
    case Kind::kDrop:
    case Kind::kMaintenance:
    case Kind::kOther:
      return true;
    default:
      return false;
  }
}

/// Which referential actions the statement can set off. A statement that writes one table by its
/// own kind is known to do only that; with data-modifying WITH items anything goes.
struct Actions {
  bool on_delete = true;
  bool on_update = true;
};
Actions actions_of(const sql::Statement& s) {
  const auto written = std::count_if(s.relations.begin(), s.relations.end(),
                                     [](const sql::RelationUse& use) { return use.written; });
  if (written != 1) return {};
  if (s.kind == Kind::kInsert) return {false, true};  // ON CONFLICT DO UPDATE
  if (s.kind == Kind::kUpdate) return {false, true};
  if (s.kind == Kind::kDelete) return {true, false};
  return {};
}

bool changes_rows(char action) {
  return action == 'c' || action == 'n' || action == 'd';  // cascade, set null, set default
}

/// Adds the tables whose rows follow the rows of `set` by foreign keys. Their own followers may be
/// reached by either action: a cascading delete deletes, set null updates.
void close_over_cascades(const sql::Catalog& catalog, Actions first, std::set<Oid>& set) {
  std::set<Oid> fresh = set;
  for (Actions actions = first; !fresh.empty(); actions = {}) {
    std::set<Oid> next;
    for (const auto& [oid, relation] : catalog.relations()) {
      for (const sql::ForeignKey& key : relation.foreign_keys) {
        const bool acts = (actions.on_delete && changes_rows(key.on_delete)) ||
                          (actions.on_update && changes_rows(key.on_update));
        if (!acts || !fresh.contains(key.referenced) || set.contains(oid)) continue;
        add_with_descendants(catalog, oid, next);
        add_ancestors(catalog, oid, next);
      }
    }
    fresh.clear();
    for (const Oid oid : next) {
      if (set.insert(oid).second) fresh.insert(oid);
    }
  }
}

bool acts_on_its_own(const sql::Catalog& catalog, Oid oid) {
  const sql::Relation* relation = catalog.relation(oid);
  return relation == nullptr || sql::acts_on_its_own(catalog, *relation);
}

}  // namespace

void find_write_set(const Judged& j, StatementDecision& out) {
  const sql::Statement& s = j.statement;
  std::set<Oid> set;
  for (const sql::RelationUse& use : s.relations) {
    if (!use.written) continue;
    add_with_descendants(j.catalog(), use.oid, set);
    add_ancestors(j.catalog(), use.oid, set);
  }
  close_over_cascades(j.catalog(), actions_of(s), set);
  out.unknown_write_set = !s.understood() || s.writes_beyond || runs_anything(s.kind) ||
                          std::any_of(set.begin(), set.end(),
                                      [&](Oid oid) { return acts_on_its_own(j.catalog(), oid); }) ||
                          std::any_of(s.routines.begin(), s.routines.end(), [&](Oid oid) {
                            const sql::Routine* routine = j.catalog().routine(oid);
                            return routine == nullptr || sql::may_write(*routine);
                          });
  out.written_tables.assign(set.begin(), set.end());
  out.writes = out.unknown_write_set || !set.empty();
}

AuditClass audit_class_of(Kind kind, Profile profile) {
  if (profile == Profile::kAdmin) return AuditClass::kAdmin;
  switch (kind) {
    case Kind::kSelect:
    case Kind::kCopyTo:
    case Kind::kFetch:
    case Kind::kShow:
    case Kind::kExplain:
      return AuditClass::kRead;
    case Kind::kInsert:
    case Kind::kUpdate:
    case Kind::kDelete:
    case Kind::kMerge:
    case Kind::kCopyFrom:
    case Kind::kExecute:
    case Kind::kCall:
    case Kind::kDo:
    case Kind::kOther:
      return AuditClass::kWrite;
    case Kind::kTruncate:
    case Kind::kCreate:
    case Kind::kAlter:
    case Kind::kDrop:
    case Kind::kGrant:
    case Kind::kMaintenance:
      return AuditClass::kDdl;
    default:
      return AuditClass::kSession;
  }
}

}  // namespace postern::policy
