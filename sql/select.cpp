// Resolver: SELECT, VALUES, set operations.
#include <algorithm>

#include "sql/resolver.hpp"

namespace postern::sql {

/// A query in any place that takes one; RETURNING of a data-modifying WITH item included.
QueryOutput Resolver::query(const ast::Node* node, const Level& outer) {
  if (ast::is(node, PG_QUERY__NODE__NODE_SELECT_STMT)) {
    return select(node->select_stmt, &outer, &outer);
  }
  if (ast::is(node, PG_QUERY__NODE__NODE_INSERT_STMT)) return insert(node->insert_stmt, &outer);
  if (ast::is(node, PG_QUERY__NODE__NODE_UPDATE_STMT)) return update(node->update_stmt, &outer);
  if (ast::is(node, PG_QUERY__NODE__NODE_DELETE_STMT)) return remove(node->delete_stmt, &outer);
  fail("query of an unsupported kind");
  return {};
}

QueryOutput Resolver::select(const ast::Select* stmt, const Level* columns, const Level* tables) {
  if (depth_ >= kMaxDepth) {
    fail("query too deep");
    return {};
  }
  ++depth_;
  Level level;
  level.outer_columns = columns;
  level.outer_tables = tables;
  if (stmt->with_clause != nullptr) common_tables(stmt->with_clause, level);
  QueryOutput output;
  if (stmt->op != PG_QUERY__SET_OPERATION__SETOP_NONE &&
      stmt->op != PG_QUERY__SET_OPERATION__SET_OPERATION_UNDEFINED) {
    output = set_operation(stmt, level);
  } else if (stmt->n_values_lists > 0) {
    output = values(POSTERN_LIST(stmt, values_lists), level);
  } else {
    output = plain_select(stmt, level);
  }
  sort_and_limit(stmt, output, level);
  --depth_;
  return output;
}

QueryOutput Resolver::plain_select(const ast::Select* stmt, Level& level) {
  from_clause(POSTERN_LIST(stmt, from_clause), level);
  QueryOutput output = target_list(POSTERN_LIST(stmt, target_list), level);
  consumed(stmt->where_clause, level);
  for (const ast::Node* item : POSTERN_LIST(stmt, group_clause)) group_item(item, output, level);
  consumed(stmt->having_clause, level);
  for (const ast::Node* item : POSTERN_LIST(stmt, window_clause)) {
    if (ast::is(item, PG_QUERY__NODE__NODE_WINDOW_DEF)) window(item->window_def, level);
  }
  return output;
}

QueryOutput Resolver::target_list(ast::NodeList targets, Level& level) {
  QueryOutput output;
  for (const ast::Node* node : targets) {
    if (!ast::is(node, PG_QUERY__NODE__NODE_RES_TARGET)) continue;
    const PgQuery__ResTarget* target = node->res_target;
    const ast::Node* value = target->val;
    if (ast::is(value, PG_QUERY__NODE__NODE_COLUMN_REF)) {
      const ast::NodeList fields = POSTERN_LIST(value->column_ref, fields);
      if (ast::is(fields.back(), PG_QUERY__NODE__NODE_A_STAR)) {
        expand_star(value->column_ref, level, output);
        continue;
      }
    }
    if (ast::is(value, PG_QUERY__NODE__NODE_A_INDIRECTION) && target->n_indirection == 0) {
      const PgQuery__AIndirection* row = value->a_indirection;
      const bool expands =
          ast::is(row->indirection[row->n_indirection - 1], PG_QUERY__NODE__NODE_A_STAR);
      if (expands && expand_row(row, level, output)) continue;
    }
    const std::string_view name = ast::text(target->name);
    output.columns.push_back({name.empty() ? output_name(value) : name, evaluate(value, level)});
  }
  return output;
}

/// Output by output: the same column on both sides stays that column; NULL is neutral; else the
/// values mix and neither column is itself any more.
QueryOutput Resolver::combine(QueryOutput left, const QueryOutput& right) {
  left.countable = left.countable && right.countable;
  if (left.columns.size() != right.columns.size() && left.countable) {
    fail("set operation over different numbers of columns");
  }
  for (std::size_t i = 0; i < left.columns.size() && i < right.columns.size(); ++i) {
    Value& mine = left.columns[i].value;
    const Value& other = right.columns[i].value;
    const bool same = mine.column && mine.column == other.column;
    if (same || (other.null && !mine.is_input())) {
      mine.sources.insert(mine.sources.end(), other.sources.begin(), other.sources.end());
    } else if (mine.null && other.column) {
      mine = other;
    } else {
      consume(mine);
      consume(other);
      Value mixed;
      mixed.absorb(mine);
      mixed.absorb(other);
      mine = std::move(mixed);
    }
    mine.literal = mine.param = -1;
  }
  return left;
}

QueryOutput Resolver::set_operation(const ast::Select* stmt, Level& level) {
  QueryOutput left = select(stmt->larg, level.outer_columns, &level);
  const QueryOutput right = select(stmt->rarg, level.outer_columns, &level);
  const bool compares = !stmt->all || stmt->op != PG_QUERY__SET_OPERATION__SETOP_UNION;
  if (compares) {
    for (const NamedValue& column : left.columns) use(column.value, Use::kGrouping);
    for (const NamedValue& column : right.columns) use(column.value, Use::kGrouping);
  }
  return combine(std::move(left), right);
}

QueryOutput Resolver::values(ast::NodeList rows, Level& level) {
  QueryOutput output;
  bool first = true;
  for (const ast::Node* row : rows) {
    if (!ast::is(row, PG_QUERY__NODE__NODE_LIST)) continue;
    QueryOutput mine;
    for (const ast::Node* item : POSTERN_LIST(row->list, items)) {
      const std::string_view name = values_name(mine.columns.size());
      mine.columns.push_back({name, evaluate(item, level)});
    }
    output = first ? std::move(mine) : combine(std::move(output), mine);
    first = false;
  }
  return output;
}

/// DISTINCT, ORDER BY, LIMIT, FOR UPDATE.
void Resolver::sort_and_limit(const ast::Select* stmt, const QueryOutput& output, Level& level) {
  for (const ast::Node* item : POSTERN_LIST(stmt, distinct_clause)) {
    if (item == nullptr || item->node_case == PG_QUERY__NODE__NODE__NOT_SET) {  // plain DISTINCT
      for (const NamedValue& column : output.columns) use(column.value, Use::kGrouping);
    } else {
      sort_item(item, output, level, Use::kGrouping);
    }
  }
  for (const ast::Node* key : POSTERN_LIST(stmt, sort_clause)) {
    if (!ast::is(key, PG_QUERY__NODE__NODE_SORT_BY)) continue;
    sort_item(key->sort_by->node, output, level, Use::kOrdering);
  }
  consumed(stmt->limit_count, level);
  consumed(stmt->limit_offset, level);
  const bool limited = stmt->limit_count != nullptr || stmt->limit_offset != nullptr;
  if (limited && stmt->n_sort_clause == 0) out_.has_limit_without_order = true;
  if (stmt->n_locking_clause > 0) out_.locking_clause = true;
}

/// ORDER BY and DISTINCT ON take a position, else an output name, else an expression.
void Resolver::sort_item(const ast::Node* node, const QueryOutput& output, Level& level,
                         Use use_as) {
  if (ast::is(node, PG_QUERY__NODE__NODE_A_CONST) &&
      node->a_const->val_case == PG_QUERY__A__CONST__VAL_IVAL) {
    const std::size_t first = out_.literals.size();
    literal(node->a_const);
    keep_literals(first);
    const auto at = static_cast<std::size_t>(node->a_const->ival->ival);
    if (at >= 1 && at <= output.columns.size()) use(output.columns[at - 1].value, use_as);
    return;
  }
  if (ast::is(node, PG_QUERY__NODE__NODE_COLUMN_REF) && node->column_ref->n_fields == 1) {
    const std::string_view name = ast::str(node->column_ref->fields[0]);
    bool found = false;
    for (const NamedValue& column : output.columns) {
      if (column.name != name || name.empty()) continue;
      use(column.value, use_as);
      found = true;
    }
    if (found) return;
  }
  use(evaluate(node, level), use_as);
}

/// GROUP BY takes a column of FROM before an output name.
void Resolver::group_item(const ast::Node* node, const QueryOutput& output, Level& level) {
  if (ast::is(node, PG_QUERY__NODE__NODE_GROUPING_SET)) {
    for (const ast::Node* item : POSTERN_LIST(node->grouping_set, content)) {
      group_item(item, output, level);
    }
    return;
  }
  if (ast::is(node, PG_QUERY__NODE__NODE_COLUMN_REF) && node->column_ref->n_fields == 1) {
    const std::string_view name = ast::str(node->column_ref->fields[0]);
    for (const RangeItem& item : level.items) {
      const bool known = item.columns_visible && item.find(name).second > 0;
      if (known) return use(evaluate(node, level), Use::kGrouping);
    }
  }
  sort_item(node, output, level, Use::kGrouping);
}

void Resolver::project(const QueryOutput& output) {
  if (!output.countable) fail("columns of a function's result are not known");
  for (const NamedValue& column : output.columns) {
    if (column.value.row.empty()) {
      use(column.value, Use::kProjected);
    } else {
      consume(column.value);  // leaves as a composite, not as itself
    }
    Output& out = out_.outputs.emplace_back();
    out.name = column.name;
    out.source = column.value.column;
    if (!column.value.is_input()) out.type = column.value.type;
    Value all;
    all.absorb(column.value);
    out.sources = std::move(all.sources);
    std::sort(out.sources.begin(), out.sources.end());
    out.sources.erase(std::unique(out.sources.begin(), out.sources.end()), out.sources.end());
  }
}

}  // namespace postern::sql
