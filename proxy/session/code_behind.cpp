#include "proxy/session/code_behind.hpp"

#include <algorithm>
#include <vector>

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

bool runs_code(const AnalysedText& analysed, const sql::Catalog& catalog) {
  for (std::size_t i = 0; i < analysed.facts->statements.size(); ++i) {
    const sql::Statement& statement = analysed.facts->statements[i];
    if (runs_code(catalog, statement, analysed.decided(i))) return true;
  }
  return false;
}

bool moves_path(const AnalysedText& analysed, const sql::Catalog& catalog) {
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

bool copies_in(const sql::Facts& facts) {
  return std::any_of(facts.statements.begin(), facts.statements.end(), [](const auto& statement) {
    return statement.kind == sql::StatementKind::kCopyFrom || !statement.understood();
  });
}

}  // namespace

CodeBehind code_behind(const AnalysedText& analysed) {
  CodeBehind behind;
  behind.copies_in = copies_in(*analysed.facts);
  const sql::Catalog* catalog = analysed.protection->catalog.get();
  behind.runs =
      analysed.protection->is_protected && (catalog == nullptr || runs_code(analysed, *catalog));
  behind.moves_path = catalog != nullptr && moves_path(analysed, *catalog);
  return behind;
}

bool runs_unseen_code(const AnalysedText& analysed) {
  if (analysed.facts != nullptr) return analysed.behind.runs;
  return analysed.protection != nullptr && analysed.protection->is_protected;
}

bool may_move_path(const AnalysedText& analysed) {
  if (analysed.facts != nullptr) return analysed.behind.moves_path;
  return analysed.protection != nullptr && analysed.protection->catalog != nullptr;
}

bool may_copy_in(const AnalysedText& analysed) {
  return analysed.facts == nullptr || analysed.behind.copies_in;
}

}  // namespace postern::proxy
