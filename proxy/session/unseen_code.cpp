#include "proxy/session/unseen_code.hpp"

#include <algorithm>
#include <vector>

#include "proxy/session/tracking.hpp"

namespace postern::proxy {
namespace {

bool is_foreign(const sql::Catalog& catalog, Oid oid) {
  const sql::Routine* routine = catalog.routine(oid);
  if (routine == nullptr) return true;
  const bool built_in = routine->schema == "pg_catalog" || routine->schema == "information_schema";
  // Stable and immutable functions cannot say SET, but they can call set_config().
  return !built_in && (routine->volatility == 'v' || routine->moves_path);
}

bool any_foreign(const sql::Catalog& catalog, const std::vector<Oid>& routines) {
  return std::any_of(routines.begin(), routines.end(),
                     [&](Oid oid) { return is_foreign(catalog, oid); });
}

bool runs_when_read(const sql::Catalog& catalog, Oid oid) {
  const sql::Relation* relation = catalog.relation(oid);
  if (relation == nullptr || relation->has_rules) return true;
  if (any_foreign(catalog, relation->depends_routines)) return true;
  return std::any_of(
      relation->policies.begin(), relation->policies.end(),
      [&](const sql::RowPolicy& policy) { return any_foreign(catalog, policy.calls); });
}

bool runs_when_written(const sql::Catalog& catalog, Oid oid) {
  const sql::Relation* relation = catalog.relation(oid);
  return relation == nullptr || relation->has_triggers || relation->has_rules ||
         any_foreign(catalog, relation->write_routines);
}

// Written tables: partitions, and what foreign keys lead to, among them.
bool runs_code(const sql::Catalog& catalog, const sql::Statement& statement,
               const policy::StatementDecision* decided) {
  // What these run stands elsewhere.
  const bool elsewhere = statement.kind == sql::StatementKind::kExecute ||
                         statement.kind == sql::StatementKind::kFetch;
  if (decided == nullptr || elsewhere || any_foreign(catalog, statement.routines)) return true;
  const auto& written = decided->written_tables;
  return std::any_of(written.begin(), written.end(),
                     [&](Oid oid) { return runs_when_written(catalog, oid); }) ||
         std::any_of(statement.relations.begin(), statement.relations.end(),
                     [&](const sql::RelationUse& use) { return runs_when_read(catalog, use.oid); });
}

bool moves_itself(const sql::Catalog& catalog, const sql::Statement& statement) {
  return std::any_of(statement.routines.begin(), statement.routines.end(), [&](Oid oid) {
    const sql::Routine* routine = catalog.routine(oid);
    return routine == nullptr || routine->moves_path;
  });
}

}  // namespace

bool runs_unseen_code(const AnalysedText& analysed) {
  const Protection* protection = analysed.protection.get();
  if (protection == nullptr || !protection->is_protected) return false;
  if (analysed.facts == nullptr || protection->catalog == nullptr) return true;
  const sql::Catalog& catalog = *protection->catalog;
  for (std::size_t i = 0; i < analysed.facts->statements.size(); ++i) {
    const sql::Statement& statement = analysed.facts->statements[i];
    if (runs_code(catalog, statement, analysed.decided(i))) return true;
  }
  return false;
}

bool may_move_path(const AnalysedText& analysed) {
  const Protection* protection = analysed.protection.get();
  if (protection == nullptr || protection->catalog == nullptr) return false;
  if (analysed.facts == nullptr) return true;
  const sql::Catalog& catalog = *protection->catalog;
  for (std::size_t i = 0; i < analysed.facts->statements.size(); ++i) {
    const sql::Statement& statement = analysed.facts->statements[i];
    if (moves_itself(catalog, statement)) return true;
    // Any other routine may call one that does. What a write set leaves open runs something, too.
    const policy::StatementDecision* decided = analysed.decided(i);
    const bool runs = catalog.code_moves_path() &&
                      (!statement.understood() || runs_code(catalog, statement, decided) ||
                       decided->unknown_write_set);
    if (runs) return true;
  }
  return false;
}

bool may_copy_in(const AnalysedText& analysed) {
  if (analysed.facts == nullptr) return true;
  const auto& statements = analysed.facts->statements;
  return std::any_of(statements.begin(), statements.end(), [](const sql::Statement& statement) {
    return statement.kind == sql::StatementKind::kCopyFrom || !statement.understood();
  });
}

void note_unseen(Session* session, const AnalysedText& analysed) {
  if (analysed.facts == nullptr) return;
  session->unseen_under_way = session->unseen_under_way || runs_unseen_code(analysed);
  if (may_move_path(analysed)) {
    session->path_due = true;
    session->path_touched = true;  // a rollback may change it back
  }
  session->path_asked = session->path_due && !may_copy_in(analysed);
}

void note_effects(Session* session, const AnalysedText& analysed) {
  if (analysed.facts == nullptr) return;
  for (const sql::Statement& statement : analysed.facts->statements) {
    if (policy::alters_meaning(statement)) session->effect_under_way = true;
    if (alters_names(statement)) session->names_under_way = true;
  }
  note_unseen(session, analysed);
}

}  // namespace postern::proxy
