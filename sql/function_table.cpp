// Resolver: functions in FROM, and the columns they give.
#include <algorithm>

#include "sql/analyzer.hpp"
#include "sql/resolver.hpp"

namespace postern::sql {

namespace {

constexpr Oid kRecord = 2249;
constexpr Oid kBigint = 20;

bool same_columns(std::span<const NamedType> a, std::span<const NamedType> b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x.name == y.name && x.type == y.type;
  });
}

}  // namespace

/// The columns that one routine returns under the name; nullopt where they are not known.
std::optional<std::vector<NamedType>> Resolver::columns_of(const Routine& routine,
                                                           std::string_view name) const {
  const Catalog& catalog = *context_.catalog;
  if (routine.outputs.size() == 1) {  // a name of its own goes before every alias
    const NamedType& only = routine.outputs.front();
    return std::vector{NamedType{only.name.empty() ? std::string(name) : only.name, only.type}};
  }
  if (!routine.outputs.empty()) {
    std::vector<NamedType> columns = routine.outputs;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if (columns[i].name.empty()) columns[i].name = "column" + std::to_string(i + 1);
    }
    return columns;
  }
  Oid type = routine.return_type;
  const Type* returned = catalog.type(type);
  if (returned == nullptr || type == kRecord) return std::nullopt;
  if (returned->kind == 'p') {  // unnest: what its argument is an array of
    if (routine.name != "unnest" || called_args_.empty()) return std::nullopt;
    const Type* array = catalog.type(called_args_.front().type);
    if (array == nullptr || array->element == kInvalidOid) return std::nullopt;
    type = array->element;
  }
  if (const Relation* relation = relation_of_type(type)) {
    std::vector<NamedType> columns;
    for (const Column& column : relation->columns) columns.push_back({column.name, column.type});
    return columns;
  }
  const Type* plain = catalog.type(type);
  if (plain == nullptr || plain->kind == 'c' || plain->kind == 'p') return std::nullopt;
  return std::vector{NamedType{std::string(name), type}};
}

/// Adds the columns of one call of a FROM item. False where they are not known.
bool Resolver::add_call_columns(const ast::Node* call, std::string_view name, RangeItem& item) {
  if (!ast::is(call, PG_QUERY__NODE__NODE_FUNC_CALL)) {  // CURRENT_DATE and its kin
    item.columns.push_back({name, item.open_value});
    return true;
  }
  const std::string_view called = output_name(call);
  if (called == "unnest" && called_args_.size() > 1) {  // stands for one call per argument
    for (std::size_t i = 0; i < called_args_.size(); ++i) {
      const Type* array = context_.catalog->type(called_args_[i].type);
      if (array == nullptr || relation_of_type(array->element) != nullptr) return false;
      item.columns.push_back({called, item.open_value});
    }
    return true;
  }
  if (called_.empty() && (called == "generate_series" || called == "unnest")) {  // not in a catalog
    item.columns.push_back({name, item.open_value});
    return true;
  }
  std::optional<std::vector<NamedType>> common;
  for (const Routine* routine : called_) {
    auto columns = columns_of(*routine, name);
    if (!columns || (common && !same_columns(*common, *columns))) return false;
    common = std::move(columns);
  }
  if (!common) return false;
  for (NamedType& column : *common) {
    Value value = item.open_value;
    const Type* type = context_.catalog->type(column.type);
    value.type = type != nullptr && type->kind != 'p' ? column.type : kInvalidOid;
    item.columns.push_back({kept(std::move(column.name)), std::move(value)});
  }
  return true;
}

void Resolver::add_definitions(ast::NodeList definitions, RangeItem& item) {
  for (const ast::Node* column : definitions) {
    if (!ast::is(column, PG_QUERY__NODE__NODE_COLUMN_DEF)) continue;
    Value value = item.open_value;
    if (column->column_def->type_name != nullptr) {
      value.type = type_oid(column->column_def->type_name);
    }
    item.columns.push_back({ast::text(column->column_def->colname), std::move(value)});
  }
}

RangeItem Resolver::from_function(const PgQuery__RangeFunction* function, Level& level) {
  RangeItem item;
  const bool alone = function->n_functions == 1;
  const std::string_view alias =
      function->alias != nullptr ? ast::text(function->alias->aliasname) : "";
  for (const ast::Node* entry : POSTERN_LIST(function, functions)) {
    // Each entry is the list (call, column definitions).
    if (!ast::is(entry, PG_QUERY__NODE__NODE_LIST) || entry->list->n_items == 0) continue;
    const ast::Node* call = entry->list->items[0];
    called_.clear();
    item.open_value.absorb(consumed(call, level));
    const std::string_view name = output_name(call);
    if (item.alias.empty()) item.alias = name;
    const ast::Node* defined = entry->list->n_items > 1 ? entry->list->items[1] : nullptr;
    if (ast::is(defined, PG_QUERY__NODE__NODE_LIST)) {
      add_definitions(POSTERN_LIST(defined->list, items), item);
    } else if (function->n_coldeflist > 0) {
      add_definitions(POSTERN_LIST(function, coldeflist), item);
    } else if (!add_call_columns(call, alone && !alias.empty() ? alias : name, item)) {
      item.open = true;
      item.countable = false;
    }
  }
  for (NamedValue& column : item.columns) column.value.sources = item.open_value.sources;
  if (function->ordinality) {
    item.columns.push_back({"ordinality", {}});
    item.columns.back().value.type = kBigint;
  }
  if (item.open) item.columns.clear();
  if (!alias.empty()) item.alias = alias;
  if (function->alias == nullptr) return item;
  const ast::NodeList names = POSTERN_LIST(function->alias, colnames);
  if (!item.open) {
    rename_columns(item.columns, names);
    return item;
  }
  for (const ast::Node* name : names) item.columns.push_back({ast::str(name), item.open_value});
  return item;
}

}  // namespace postern::sql
