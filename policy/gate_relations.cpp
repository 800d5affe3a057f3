// Relations that show or change what belongs to all tenants, and statements that row security does
// not confine (research: catalogue 18 to 21, 46, 47, 55 to 61, 81, 82, 91, 100).
#include <algorithm>
#include <set>

#include "base/codes/gate.hpp"
#include "policy/closure.hpp"
#include "policy/gate.hpp"
#include "policy/glob.hpp"
#include "policy/known_builtins.hpp"

namespace postern::policy {
namespace {

using Kind = sql::StatementKind;

// Of pg_catalog, and of extensions wherever they are installed.
constexpr std::string_view kDeniedViews[] = {
    "pg_stat_*",
    "pg_statio_*",
    "pg_stats*",
    "pg_statistic*",
    "pg_locks",
    "pg_prepared_xacts",
    "pg_largeobject*",
    "pg_replication_*",
    "pg_subscription*",
    "pg_authid",
    "pg_shadow",
    "pg_user_mapping*",
    "pg_hba_file_rules",
    "pg_ident_file_mappings",
    "pg_file_settings",
    "pg_shmem_allocations",
    "pg_backend_memory_contexts",
    "pg_buffercache*",
    "pg_sequences",
    "pg_aios",
};

// Relations of the server have smaller oids than any that were made later.
constexpr Oid kFirstUserOid = 16384;

// Passwords for other servers, as far as the pool's role may see them.
constexpr std::string_view kDeniedStandardViews[] = {"user_mapping*", "_pg_user_mapping*"};

template <typename List>
bool listed(const List& list, std::string_view name) {
  return std::any_of(std::begin(list), std::end(list),
                     [&](std::string_view glob) { return glob_match(glob, name); });
}

bool denied_view(const sql::Relation& relation) {
  if (relation.schema == "information_schema") return listed(kDeniedStandardViews, relation.name);
  if (relation.schema == "postern" || relation.schema == "cron") return true;
  // One of a newer server has to be looked at first.
  const bool builtin = relation.schema == "pg_catalog" && relation.oid < kFirstUserOid;
  if (builtin && !is_known_relation(relation.name)) return true;
  const bool candidate = relation.schema == "pg_catalog" || relation.name.starts_with("pg_");
  return candidate && listed(kDeniedViews, relation.name);
}

bool is_walled(const Judged& j, const sql::Relation& relation) {
  return reaches(relation, j.rules.tenant_tables);
}

void refuse(const Judged& j, Pst code, const sql::Relation& relation, const char* rule) {
  j.findings.refuse(code,
                    std::string(sql::to_word(j.statement.kind)) + " on " + relation.qualified(),
                    rule, j.statement.span.begin);
}

/// TRUNCATE ... CASCADE follows foreign keys, row security or not.
bool truncation_reaches_wall(const Judged& j, Oid oid) {
  std::set<Oid> reached;
  add_with_descendants(j.catalog(), oid, reached);
  for (bool grown = true; grown;) {
    grown = false;
    for (const auto& [other, relation] : j.catalog().relations()) {
      if (reached.contains(other)) continue;
      const bool refers =
          std::any_of(relation.foreign_keys.begin(), relation.foreign_keys.end(),
                      [&](const sql::ForeignKey& key) { return reached.contains(key.referenced); });
      if (!refers) continue;
      add_with_descendants(j.catalog(), other, reached);
      grown = true;
    }
  }
  return std::any_of(reached.begin(), reached.end(),
                     [&](Oid r) { return j.rules.tenant_tables.contains(r); });
}

/// What row security leaves open on a tenant table.
void gate_uncovered(const Judged& j, const sql::Relation& relation) {
  switch (j.statement.kind) {
    case Kind::kTruncate:
      if (truncation_reaches_wall(j, relation.oid)) {
        refuse(j, pst::kNotCoveredByWall, relation, "wall.truncate");
      }
      break;
    case Kind::kLock:
      // pg_dump locks what it reads.
      if (j.profile != Profile::kBackup && is_walled(j, relation)) {
        refuse(j, pst::kNotCoveredByWall, relation, "wall.lock");
      }
      break;
    case Kind::kCopyFrom:
      if (is_walled(j, relation) && !copy_as_insert(j, j.alone)) {
        refuse(j, pst::kNotCoveredByWall, relation, "wall.copy");
      }
      break;
    default:
      break;
  }
}

/// Plans tell estimates over all tenants' rows, and how many the policy removed; which one is
/// chosen follows from all tenants' rows too. Where plans are permitted, only the lines that are
/// left of one in text form may be seen. What EXECUTE stands for is not known.
void gate_explain(const Judged& j) {
  const bool permitted = j.rules.permits_of(j.profile).plans && j.statement.plan_only;
  if (!shapes_plan(j) || permitted) return;
  const auto& uses = j.statement.relations;
  const bool walled = std::any_of(uses.begin(), uses.end(), [&](const sql::RelationUse& use) {
    const sql::Relation* relation = j.catalog().relation(use.oid);
    return relation == nullptr || is_walled(j, *relation);
  });
  if (!walled && !uses.empty()) return;
  j.findings.refuse(pst::kNotCoveredByWall, "explain", "wall.explain", j.statement.span.begin);
}

}  // namespace

void gate_relations(const Judged& j) {
  gate_explain(j);
  for (const sql::RelationUse& use : j.statement.relations) {
    const sql::Relation* relation = j.catalog().relation(use.oid);
    if (relation == nullptr) {
      return j.findings.refuse(pst::kRelationNotAllowed, "not in the catalog snapshot",
                               "gate.relation", j.statement.span.begin);
    }
    if (use.written && in_system_schema(*relation) && !relation->schema.starts_with("pg_temp_")) {
      return refuse(j, pst::kRelationNotAllowed, *relation, "gate.relation");
    }
    // What a migrator may not define is judged in gate_definitions().
    if (j.profile == Profile::kMigrator) continue;
    if (j.profile == Profile::kBackup) {
      gate_uncovered(j, *relation);
      continue;
    }
    // Below a view only the view's own name counts: its owner decided what it shows.
    if (use.via == kInvalidOid && denied_view(*relation)) {
      return refuse(j, pst::kRelationNotAllowed, *relation, "gate.relation");
    }
    if (j.rules.unwallable.contains(relation->oid)) {
      return refuse(j, pst::kNotCoveredByWall, *relation, "wall.relation");
    }
    gate_uncovered(j, *relation);
  }
}

}  // namespace postern::policy
