// Resolver: what stands in FROM, except joins.
#include <algorithm>

#include "sql/analyzer.hpp"
#include "sql/resolver.hpp"

namespace postern::sql {

void Resolver::from_clause(ast::NodeList from, Level& level) {
  for (const ast::Node* node : from) {
    for (RangeItem& item : from_item(node, level)) level.items.push_back(std::move(item));
  }
}

/// `level` holds what stands to the left: LATERAL sees it.
std::vector<RangeItem> Resolver::from_item(const ast::Node* node, Level& level) {
  std::vector<RangeItem> items;
  if (depth_ >= kMaxDepth) {
    fail("FROM too deep");
    return items;
  }
  ++depth_;
  switch (node->node_case) {
    case PG_QUERY__NODE__NODE_RANGE_VAR:
      items.push_back(from_table(node->range_var, level));
      break;
    case PG_QUERY__NODE__NODE_RANGE_SUBSELECT:
      items.push_back(from_subquery(node->range_subselect, level));
      break;
    case PG_QUERY__NODE__NODE_JOIN_EXPR:
      items = from_join(node->join_expr, level);
      break;
    case PG_QUERY__NODE__NODE_RANGE_FUNCTION:
      items.push_back(from_function(node->range_function, level));
      break;
    case PG_QUERY__NODE__NODE_RANGE_TABLE_SAMPLE:
      items = from_sample(node->range_table_sample, level);
      break;
    case PG_QUERY__NODE__NODE_RANGE_TABLE_FUNC:
      items.push_back(from_xmltable(node->range_table_func, level));
      break;
    default:
      fail("FROM item of an unsupported kind");
  }
  --depth_;
  return items;
}

const CommonTable* Resolver::find_common_table(std::string_view name, const Level& level) const {
  for (const Level* at = &level; at != nullptr; at = at->outer_tables) {
    for (const CommonTable& table : at->tables) {
      if (table.name == name) return &table;
    }
  }
  return nullptr;
}

/// Applies "AS alias (a, b)". A table with renamed columns keeps no names of its own.
void Resolver::rename(RangeItem& item, const PgQuery__Alias* alias) {
  if (alias == nullptr) return;
  item.alias = ast::text(alias->aliasname);
  item.schema = {};
  if (alias->n_colnames == 0) return;
  if (item.relation != nullptr) {
    for (std::size_t i = 0; i < item.size(); ++i) {
      item.columns.push_back({item.name(i), item.value(i, 0)});
    }
    item.relation = nullptr;
  }
  rename_columns(item.columns, POSTERN_LIST(alias, colnames));
}

void Resolver::rename_columns(std::vector<NamedValue>& columns, ast::NodeList names) {
  for (std::size_t i = 0; i < names.size() && i < columns.size(); ++i) {
    columns[i].name = ast::str(names[i]);
  }
}

RangeItem Resolver::from_table(const ast::RangeVar* range, const Level& level) {
  RangeItem item;
  item.alias = ast::text(range->relname);
  const CommonTable* common = nullptr;
  if (ast::text(range->schemaname).empty()) common = find_common_table(item.alias, level);
  if (common != nullptr) {
    if (common->pending)
      fail("reference to a common table that is not defined yet", range->location);
    item.columns = common->columns;
    item.countable = common->countable;
  } else if (const Relation* relation = find_relation(range)) {
    item.relation = relation;
    item.schema = relation->schema;
    RelationUse& used = relation_use(relation->oid);
    used.read = true;
    const bool view =
        relation->kind == RelationKind::kView || relation->kind == RelationKind::kMaterializedView;
    if (view) view_dependencies(*relation, false);
  }
  rename(item, range->alias);
  return item;
}

RangeItem Resolver::from_subquery(const PgQuery__RangeSubselect* sub, Level& level) {
  RangeItem item;
  const Level* columns = sub->lateral ? &level : level.outer_columns;
  if (!ast::is(sub->subquery, PG_QUERY__NODE__NODE_SELECT_STMT)) {
    fail("subquery of an unsupported kind");
    return item;
  }
  QueryOutput output = select(sub->subquery->select_stmt, columns, &level);
  for (NamedValue& column : output.columns) {
    column.value.literal = column.value.param = -1;  // it may meet several columns from here on
  }
  item.columns = std::move(output.columns);
  item.countable = output.countable;
  rename(item, sub->alias);
  return item;
}

RangeItem Resolver::from_xmltable(const PgQuery__RangeTableFunc* function, Level& level) {
  RangeItem item;
  item.alias = "xmltable";
  item.open_value.absorb(consumed(function->docexpr, level));
  item.open_value.absorb(consumed(function->rowexpr, level));
  for (const ast::Node* space : POSTERN_LIST(function, namespaces)) {
    item.open_value.absorb(consumed(space, level));
  }
  for (const ast::Node* node : POSTERN_LIST(function, columns)) {
    if (!ast::is(node, PG_QUERY__NODE__NODE_RANGE_TABLE_FUNC_COL)) continue;
    const PgQuery__RangeTableFuncCol* column = node->range_table_func_col;
    consumed(column->colexpr, level);
    consumed(column->coldefexpr, level);
    item.columns.push_back({ast::text(column->colname), item.open_value});
  }
  rename(item, function->alias);
  return item;
}

std::vector<RangeItem> Resolver::from_sample(const PgQuery__RangeTableSample* sample,
                                             Level& level) {
  std::vector<RangeItem> items = from_item(sample->relation, level);
  consumed_all(POSTERN_LIST(sample, args), level);
  consumed(sample->repeatable, level);
  return items;
}

}  // namespace postern::sql
