// Resolver: INSERT.
#include "sql/resolver.hpp"

namespace postern::sql {

/// The table that INSERT, UPDATE, DELETE or MERGE writes. A common table is never meant.
RangeItem Resolver::target_item(const ast::RangeVar* range, const Relation*& relation) {
  RangeItem item;
  item.alias = ast::text(range->relname);
  relation = find_relation(range);
  if (relation == nullptr) return item;
  item.relation = relation;
  item.schema = relation->schema;
  relation_use(relation->oid).written = true;
  if (relation->kind == RelationKind::kView) view_dependencies(*relation, true);
  rename(item, range->alias);
  return item;
}

QueryOutput Resolver::insert(const PgQuery__InsertStmt* stmt, const Level* outer) {
  Level level;
  level.outer_columns = level.outer_tables = outer;
  if (stmt->with_clause != nullptr) common_tables(stmt->with_clause, level);
  const Relation* relation = nullptr;
  RangeItem target = target_item(stmt->relation, relation);
  if (relation == nullptr) return {};
  const std::vector<const Column*> columns = insert_columns(*relation, POSTERN_LIST(stmt, cols));
  for (const Column* column : columns) mark_written(*relation, column->attnum);
  insert_rows(stmt, *relation, columns, level);
  level.items.push_back(std::move(target));
  if (stmt->on_conflict_clause != nullptr) {
    on_conflict(stmt->on_conflict_clause, *relation, level);
  }
  return target_list(POSTERN_LIST(stmt, returning_list), level);
}

/// The columns that take the values, in order; without a list, all of the table.
std::vector<const Column*> Resolver::insert_columns(const Relation& relation, ast::NodeList names) {
  std::vector<const Column*> columns;
  if (names.empty()) {
    for (const Column& column : relation.columns) columns.push_back(&column);
    return columns;
  }
  for (const ast::Node* node : names) {
    if (!ast::is(node, PG_QUERY__NODE__NODE_RES_TARGET)) continue;
    const PgQuery__ResTarget* target = node->res_target;
    const Column* column = relation.column(ast::text(target->name));
    if (column == nullptr) {
      fail("unknown column " + std::string(ast::text(target->name)), target->location);
      return {};
    }
    if (target->n_indirection > 0) {  // a part of the column
      use_column({relation.oid, column->attnum}, Use::kExpression,
                 static_cast<std::uint32_t>(target->location));
    }
    columns.push_back(column);
  }
  return columns;
}

void Resolver::insert_rows(const PgQuery__InsertStmt* stmt, const Relation& relation,
                           std::span<const Column* const> columns, Level& level) {
  if (!ast::is(stmt->select_stmt, PG_QUERY__NODE__NODE_SELECT_STMT)) return;  // DEFAULT VALUES
  const ast::Select* source = stmt->select_stmt->select_stmt;
  const bool plain_values = source->n_values_lists > 0 && source->n_sort_clause == 0 &&
                            source->limit_count == nullptr && source->limit_offset == nullptr;
  std::vector<Value> row;
  if (!plain_values) {
    QueryOutput output = select(source, &level, &level);
    if (!output.countable) fail("columns of the inserted query are not known");
    for (NamedValue& column : output.columns) row.push_back(std::move(column.value));
    return insert_row(relation, columns, row);
  }
  Level inner;
  inner.outer_columns = inner.outer_tables = &level;
  if (source->with_clause != nullptr) common_tables(source->with_clause, inner);
  for (const ast::Node* values : POSTERN_LIST(source, values_lists)) {
    if (!ast::is(values, PG_QUERY__NODE__NODE_LIST)) continue;
    row.clear();
    for (const ast::Node* item : POSTERN_LIST(values->list, items)) {
      row.push_back(evaluate(item, inner));
    }
    insert_row(relation, columns, row);
  }
}

void Resolver::insert_row(const Relation& relation, std::span<const Column* const> columns,
                          std::span<const Value> row) {
  if (row.size() > columns.size()) return fail("INSERT has more values than columns");
  for (std::size_t i = 0; i < row.size(); ++i) store(relation, *columns[i], row[i]);
}

/// The column takes the value.
void Resolver::store(const Relation& relation, const Column& column, const Value& value) {
  const ColumnRef target{relation.oid, column.attnum};
  if (value.is_default) return use_column(target, Use::kDefaulted, value.position);
  if (value.column && value.row.empty()) {
    out_.uses.push_back({target, Use::kStored, *value.column, value.position});
    return use_with(value, Use::kCopied, target);
  }
  use_column(target, Use::kStored, value.position);
  if (value.is_input()) return meet(value, target, ValueRole::kStored, Comparison::kNone);
  consume(value);
  use_column(target, Use::kExpression, value.position);
}

void Resolver::on_conflict(const PgQuery__OnConflictClause* clause, const Relation& relation,
                           const Level& outer) {
  Level level = outer;
  if (clause->infer != nullptr && clause->infer->n_index_elems > 0) {
    conflict_target(clause->infer, relation, level);
  } else {  // a constraint by name, or any: every key may be the one
    for (const UniqueKey& key : relation.keys) {
      for (std::int16_t attnum : key.columns) {
        use_column({relation.oid, attnum}, Use::kConflictTarget,
                   static_cast<std::uint32_t>(clause->location));
      }
    }
  }
  if (clause->action != PG_QUERY__ON_CONFLICT_ACTION__ONCONFLICT_UPDATE) return;
  RangeItem& excluded = level.items.emplace_back();
  excluded.alias = "excluded";
  excluded.relation = &relation;
  set_list(POSTERN_LIST(clause, target_list), relation, level);
  consumed(clause->where_clause, level);
}

void Resolver::conflict_target(const PgQuery__InferClause* infer, const Relation& relation,
                               Level& level) {
  for (const ast::Node* node : POSTERN_LIST(infer, index_elems)) {
    if (!ast::is(node, PG_QUERY__NODE__NODE_INDEX_ELEM)) continue;
    const PgQuery__IndexElem* element = node->index_elem;
    if (element->expr != nullptr) {
      consumed(element->expr, level);
      continue;
    }
    const Column* column = relation.column(ast::text(element->name));
    if (column == nullptr) {
      fail("unknown column in ON CONFLICT", infer->location);
      continue;
    }
    use_column({relation.oid, column->attnum}, Use::kConflictTarget,
               static_cast<std::uint32_t>(infer->location));
  }
  consumed(infer->where_clause, level);
}

}  // namespace postern::sql
