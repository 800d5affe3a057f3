// Resolver: UPDATE, DELETE, MERGE.
#include "sql/resolver.hpp"

namespace postern::sql {

QueryOutput Resolver::update(const PgQuery__UpdateStmt* stmt, const Level* outer) {
  Level level;
  level.outer_columns = level.outer_tables = outer;
  if (stmt->with_clause != nullptr) common_tables(stmt->with_clause, level);
  const Relation* relation = nullptr;
  RangeItem target = target_item(stmt->relation, relation);
  if (relation == nullptr) return {};
  level.items.push_back(std::move(target));
  from_clause(POSTERN_LIST(stmt, from_clause), level);
  set_list(POSTERN_LIST(stmt, target_list), *relation, level);
  if (stmt->where_clause != nullptr) relation_use(relation->oid).read = true;
  consumed(stmt->where_clause, level);
  return target_list(POSTERN_LIST(stmt, returning_list), level);
}

QueryOutput Resolver::remove(const PgQuery__DeleteStmt* stmt, const Level* outer) {
  Level level;
  level.outer_columns = level.outer_tables = outer;
  if (stmt->with_clause != nullptr) common_tables(stmt->with_clause, level);
  const Relation* relation = nullptr;
  RangeItem target = target_item(stmt->relation, relation);
  if (relation == nullptr) return {};
  level.items.push_back(std::move(target));
  from_clause(POSTERN_LIST(stmt, using_clause), level);
  if (stmt->where_clause != nullptr) relation_use(relation->oid).read = true;
  consumed(stmt->where_clause, level);
  return target_list(POSTERN_LIST(stmt, returning_list), level);
}

/// SET a = x, (b, c) = (y, z)
void Resolver::set_list(ast::NodeList targets, const Relation& relation, Level& level) {
  std::vector<Value> multi;  // fields of the multiple assignment in progress
  for (const ast::Node* node : targets) {
    if (!ast::is(node, PG_QUERY__NODE__NODE_RES_TARGET)) continue;
    const PgQuery__ResTarget* target = node->res_target;
    const Column* column = relation.column(ast::text(target->name));
    if (column == nullptr) {
      fail("unknown column " + std::string(ast::text(target->name)), target->location);
      continue;
    }
    mark_written(relation, column->attnum);
    const Value value = set_source(target->val, multi, level);
    if (target->n_indirection > 0) {  // a part of the column: reads the rest
      mark_read({relation.oid, column->attnum});
      use_column({relation.oid, column->attnum}, Use::kExpression,
                 static_cast<std::uint32_t>(target->location));
      for (const ast::Node* step : POSTERN_LIST(target, indirection)) {
        if (!ast::is(step, PG_QUERY__NODE__NODE_A_INDICES)) continue;
        consumed(step->a_indices->lidx, level);
        consumed(step->a_indices->uidx, level);
      }
      consume(value);
      continue;
    }
    store(relation, *column, value);
  }
}

/// The first column of a multiple assignment evaluates the row, the others take their field.
Value Resolver::set_source(const ast::Node* value, std::vector<Value>& multi, Level& level) {
  if (!ast::is(value, PG_QUERY__NODE__NODE_MULTI_ASSIGN_REF)) return evaluate(value, level);
  const PgQuery__MultiAssignRef* part = value->multi_assign_ref;
  if (part->colno == 1) {
    const Value row = evaluate(part->source, level);
    multi = row.row;
    if (multi.empty() && part->ncolumns == 1) multi.push_back(row);
  }
  const auto index = static_cast<std::size_t>(part->colno) - 1;
  if (index < multi.size()) return multi[index];
  fail("assignment from a row of unknown width");
  return {};
}

QueryOutput Resolver::merge(const PgQuery__MergeStmt* stmt, const Level* outer) {
  Level level;
  level.outer_columns = level.outer_tables = outer;
  if (stmt->with_clause != nullptr) common_tables(stmt->with_clause, level);
  const Relation* relation = nullptr;
  RangeItem target = target_item(stmt->relation, relation);
  if (relation == nullptr) return {};
  relation_use(relation->oid).read = true;
  for (RangeItem& item : from_item(stmt->source_relation, level)) {
    level.items.push_back(std::move(item));
  }
  level.items.insert(level.items.begin(), std::move(target));
  consumed(stmt->join_condition, level);
  for (const ast::Node* when : POSTERN_LIST(stmt, merge_when_clauses)) {
    if (ast::is(when, PG_QUERY__NODE__NODE_MERGE_WHEN_CLAUSE)) {
      merge_when(when->merge_when_clause, *relation, level);
    }
  }
  return {};
}

void Resolver::merge_when(const PgQuery__MergeWhenClause* when, const Relation& relation,
                          Level& level) {
  consumed(when->condition, level);
  if (when->command_type == PG_QUERY__CMD_TYPE__CMD_UPDATE) {
    return set_list(POSTERN_LIST(when, target_list), relation, level);
  }
  if (when->command_type != PG_QUERY__CMD_TYPE__CMD_INSERT) return;
  const std::vector<const Column*> columns =
      insert_columns(relation, POSTERN_LIST(when, target_list));
  for (const Column* column : columns) mark_written(relation, column->attnum);
  std::vector<Value> row;
  for (const ast::Node* value : POSTERN_LIST(when, values)) row.push_back(evaluate(value, level));
  insert_row(relation, columns, row);
}

}  // namespace postern::sql
