// Resolver: WITH.
#include "sql/resolver.hpp"

namespace postern::sql {

/// Without RECURSIVE an item sees those before it. With it, all names of the list hide tables of
/// the same name at once; a reference forwards is not followed but refused.
void Resolver::common_tables(const PgQuery__WithClause* with, Level& level) {
  const std::size_t base = level.tables.size();
  if (with->recursive) {
    for (const ast::Node* node : POSTERN_LIST(with, ctes)) {
      if (!ast::is(node, PG_QUERY__NODE__NODE_COMMON_TABLE_EXPR)) continue;
      level.tables.push_back({ast::text(node->common_table_expr->ctename), {}, true, true});
    }
  }
  std::size_t index = base;
  for (const ast::Node* node : POSTERN_LIST(with, ctes)) {
    if (!ast::is(node, PG_QUERY__NODE__NODE_COMMON_TABLE_EXPR)) continue;
    common_table(node->common_table_expr, level, index++);
  }
}

void Resolver::common_table(const PgQuery__CommonTableExpr* table, Level& level,
                            std::size_t index) {
  const bool recursive = index < level.tables.size();
  const bool united = ast::is(table->ctequery, PG_QUERY__NODE__NODE_SELECT_STMT) &&
                      table->ctequery->select_stmt->op == PG_QUERY__SET_OPERATION__SETOP_UNION;
  // The query of a WITH item sees outer queries, but no table of the query that it serves: those
  // come later in `level`.
  QueryOutput output;
  if (recursive && united) {
    output = recursive_table(table, level, index);
  } else {
    output = query(table->ctequery, level);
  }
  for (NamedValue& column : output.columns) column.value.literal = column.value.param = -1;
  rename_columns(output.columns, POSTERN_LIST(table, aliascolnames));
  search_and_cycle(table, level, output.columns);
  CommonTable done;
  done.name = ast::text(table->ctename);
  done.columns = std::move(output.columns);
  done.countable = output.countable;
  if (recursive) {
    level.tables[index] = std::move(done);
  } else {
    level.tables.push_back(std::move(done));
  }
}

/// SEARCH adds a column that orders by others, CYCLE one that compares others and one that holds
/// their values. References from inside the item itself do not see them.
void Resolver::search_and_cycle(const PgQuery__CommonTableExpr* table, const Level& level,
                                std::vector<NamedValue>& columns) {
  const auto gather = [&](ast::NodeList names, Use as) {
    Value all;
    for (const ast::Node* name : names) {
      bool found = false;
      for (const NamedValue& column : columns) {
        if (column.name != ast::str(name)) continue;
        use(column.value, as);
        consume(column.value);
        all.absorb(column.value);
        found = true;
      }
      if (!found) fail("unknown column in SEARCH or CYCLE", table->location);
    }
    return all;
  };
  if (const PgQuery__CTESearchClause* search = table->search_clause; search != nullptr) {
    Value order = gather(POSTERN_LIST(search, search_col_list), Use::kOrdering);
    columns.push_back({ast::text(search->search_seq_column), std::move(order)});
  }
  if (const PgQuery__CTECycleClause* cycle = table->cycle_clause; cycle != nullptr) {
    Value path = gather(POSTERN_LIST(cycle, cycle_col_list), Use::kGrouping);
    Value mark = consumed(cycle->cycle_mark_value, level);
    mark.absorb(consumed(cycle->cycle_mark_default, level));
    mark.absorb(path);
    columns.push_back({ast::text(cycle->cycle_mark_column), std::move(mark)});
    columns.push_back({ast::text(cycle->cycle_path_column), std::move(path)});
  }
}

/// The first branch gives the columns that the second sees under the item's own name.
QueryOutput Resolver::recursive_table(const PgQuery__CommonTableExpr* table, Level& outer,
                                      std::size_t index) {
  const ast::Select* stmt = table->ctequery->select_stmt;
  Level level;
  level.outer_columns = &outer;
  level.outer_tables = &outer;
  if (stmt->with_clause != nullptr) common_tables(stmt->with_clause, level);
  QueryOutput left = select(stmt->larg, &level, &level);
  CommonTable& self = outer.tables[index];
  self.columns = left.columns;
  for (NamedValue& column : self.columns) column.value.literal = column.value.param = -1;
  rename_columns(self.columns, POSTERN_LIST(table, aliascolnames));
  self.countable = left.countable;
  self.pending = false;
  const QueryOutput right = select(stmt->rarg, &level, &level);
  if (!stmt->all) {
    for (const NamedValue& column : left.columns) use(column.value, Use::kGrouping);
    for (const NamedValue& column : right.columns) use(column.value, Use::kGrouping);
  }
  QueryOutput output = combine(std::move(left), right);
  sort_and_limit(stmt, output, level);
  return output;
}

}  // namespace postern::sql
