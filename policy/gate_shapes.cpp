// Statements that are let through in another form: EXPLAIN with its lines shaped, COPY FROM as
// INSERT, and settings beside other statements (research: catalogue 30, 46, 47, 82, 126).
#include <algorithm>

#include "base/codes/session.hpp"
#include "policy/closure.hpp"
#include "policy/gate.hpp"

namespace postern::policy {
namespace {

using Kind = sql::StatementKind;

bool confined(Profile profile) {
  return profile == Profile::kApp || profile == Profile::kAnalyst;
}

}  // namespace

bool shapes_plan(const Judged& j) {
  return j.statement.kind == Kind::kExplain && confined(j.profile) &&
         !j.rules.tenant_tables.empty() && !gate_is_open(j.rules, j.profile);
}

bool copy_as_insert(const Judged& j, bool alone) {
  const sql::Statement& s = j.statement;
  if (!alone || !s.copy_in || !s.copy_in->plain) return false;
  const bool walled_off = confined(j.profile) || j.profile == Profile::kMigrator;
  if (!walled_off || gate_is_open(j.rules, j.profile)) return false;
  if (!s.understood()) {
    return s.copy_in->table == kInvalidOid && may_be_new(j) && !j.rules.tenant_tables.empty() &&
           refuses(j.rules.mode);
  }
  if (s.copy_in->columns.empty()) return false;
  const sql::Relation* relation = j.catalog().relation(s.copy_in->table);
  const bool table =
      relation != nullptr && (relation->kind == sql::RelationKind::kTable ||
                              relation->kind == sql::RelationKind::kPartitionedTable);
  if (!table || !reaches(*relation, j.rules.tenant_tables)) return false;
  // While the wall is only observed the server may still take the COPY itself.
  return refuses(j.rules.mode) || relation->row_security;
}

void gate_mixing(const sql::Facts& facts, const Ruleset& rules, Profile profile,
                 Findings& findings) {
  if (!rules.is_protected || gate_is_open(rules, profile) || facts.statements.size() < 2) return;
  // A migrator's names are not judged, and nothing is sealed where no column is encrypted.
  if (profile == Profile::kMigrator && rules.columns.empty()) return;
  const auto alters = std::find_if(facts.statements.begin(), facts.statements.end(),
                                   [](const auto& s) { return alters_meaning(s); });
  const bool touches = std::any_of(facts.statements.begin(), facts.statements.end(),
                                   [](const auto& s) { return !s.relations.empty(); });
  if (alters == facts.statements.end() || !touches) return;
  if (rules.columns.empty()) {
    findings.refuse(pst::kSettingInBatch, alters->name, "gate.mixing", alters->span.begin);
  } else {
    findings.forbid(pst::kSettingInBatch, alters->name, "gate.mixing", alters->span.begin);
  }
}

}  // namespace postern::policy
