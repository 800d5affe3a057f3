// Resolver: names of columns, after the rules of PostgreSQL's parse_relation.c as documented in
// "4.2.1 Column References" and "7.2.1 The FROM Clause".
#include "sql/analyzer.hpp"
#include "sql/resolver.hpp"

namespace postern::sql {

namespace {

/// The last fields of a reference as names; empty names where a field is no String node.
std::vector<std::string_view> names_of(const PgQuery__ColumnRef* ref) {
  std::vector<std::string_view> names;
  for (const ast::Node* field : POSTERN_LIST(ref, fields)) names.push_back(ast::str(field));
  return names;
}

struct LevelHit {
  const RangeItem* item = nullptr;
  std::size_t index = 0;
  int count = 0;
  const RangeItem* open = nullptr;  ///< a function of this level, best the one with that name
};

LevelHit find_in_level(const Level& level, std::string_view name) {
  LevelHit hit;
  for (const RangeItem& item : level.items) {
    if (!item.columns_visible) continue;
    if (item.open && (hit.open == nullptr || item.alias == name)) hit.open = &item;
    const auto [index, count] = item.find(name);
    if (count == 0) continue;
    hit.item = &item;
    hit.index = index;
    hit.count += count;
  }
  return hit;
}

}  // namespace

Value Resolver::column_ref(const PgQuery__ColumnRef* ref, const Level& level) {
  const auto position = static_cast<std::uint32_t>(ref->location);
  const std::vector<std::string_view> names = names_of(ref);
  if (names.empty()) return {};
  if (names.back().empty()) return row_of(names, position, level);
  if (names.size() == 1) return unqualified(names[0], position, level);
  return qualified(names, position, level);
}

/// "t.*" as a value: the whole row.
Value Resolver::row_of(std::span<const std::string_view> names, std::uint32_t position,
                       const Level& level) {
  const RangeItem* item = nullptr;
  if (names.size() > 1) {
    const std::string_view schema = names.size() > 2 ? names[names.size() - 3] : "";
    item = find_item(schema, names[names.size() - 2], level);
  }
  if (item != nullptr) return whole_row(*item, position);
  fail("row expansion of an unknown table", position);
  return {};
}

/// The column's value, and the note that it was read.
Value Resolver::column_of(const RangeItem& item, std::size_t index, std::uint32_t position) {
  Value value = item.value(index, position);
  if (value.column) mark_read(*value.column);
  return value;
}

Value Resolver::unqualified(std::string_view name, std::uint32_t position, const Level& level) {
  const RangeItem* open = nullptr;  // nearest function whose column names we do not know
  for (const Level* at = &level; at != nullptr; at = at->outer_columns) {
    const LevelHit hit = find_in_level(*at, name);
    if (hit.count > 1) {
      fail("ambiguous column " + std::string(name), position);
      return {};
    }
    if (hit.count == 1) {
      const Value value = column_of(*hit.item, hit.index, position);
      if (open == nullptr) return value;
      consume(value);  // or a column of the function of an inner level
      Value either;
      either.absorb(value);
      either.absorb(open->open_value);
      return either;
    }
    if (hit.open != nullptr && open == nullptr) open = hit.open;
    if (open != nullptr && open->alias == name) break;
  }
  if (const RangeItem* item = find_item({}, name, level); item != nullptr && !item->open) {
    return whole_row(*item, position);
  }
  if (open != nullptr) return open->open_value;
  if (is_system_column(name) && system_column(level)) return {};
  fail("unknown column " + std::string(name), position);
  return {};
}

/// ctid and its kin without a table: every table of the nearest level that has any.
bool Resolver::system_column(const Level& level) {
  bool found = false;
  for (const Level* at = &level; at != nullptr && !found; at = at->outer_columns) {
    for (const RangeItem& item : at->items) {
      if (item.relation == nullptr) continue;
      relation_use(item.relation->oid).system_columns = true;
      found = true;
    }
  }
  return found;
}

/// schema.table or table, innermost level first; nullptr if nothing is so named.
const RangeItem* Resolver::find_item(std::string_view schema, std::string_view alias,
                                     const Level& level) {
  for (const Level* at = &level; at != nullptr; at = at->outer_columns) {
    for (const RangeItem& item : at->items) {
      if (!item.relation_visible || item.alias != alias || alias.empty()) continue;
      if (schema.empty() || item.schema == schema) return &item;
    }
  }
  return nullptr;
}

/// table.column, schema.table.column, database.schema.table.column.
Value Resolver::qualified(std::span<const std::string_view> names, std::uint32_t position,
                          const Level& level) {
  const std::string_view column = names.back();
  const std::string_view table = names[names.size() - 2];
  const std::string_view schema = names.size() > 2 ? names[names.size() - 3] : "";
  const RangeItem* item = find_item(schema, table, level);
  if (item == nullptr) {
    fail("unknown table " + std::string(table), position);
    return {};
  }
  const auto [index, hits] = item->find(column);
  if (hits == 1) return column_of(*item, index, position);
  if (hits == 0 && item->open) return item->open_value;
  if (hits == 0 && item->relation != nullptr && is_system_column(column)) {
    relation_use(item->relation->oid).system_columns = true;
    relation_use(item->relation->oid).read = true;
    return {};
  }
  fail((hits > 1 ? "ambiguous column " : "unknown column ") + std::string(table) + "." +
           std::string(column),
       position);
  return {};
}

/// The table's name used as a value: every column takes part.
Value Resolver::whole_row(const RangeItem& item, std::uint32_t position) {
  Value row;
  row.position = position;
  row.absorb(item.open_value);
  for (std::size_t i = 0; i < item.size(); ++i) {
    const Value field = column_of(item, i, position);
    consume(field);
    row.absorb(field);
  }
  if (item.relation != nullptr) {
    relation_use(item.relation->oid).system_columns = true;
    relation_use(item.relation->oid).read = true;
    const Type* type = context_.catalog->type(item.relation->schema, item.relation->name);
    if (type != nullptr) row.type = type->oid;
  }
  return row;
}

/// "(row).*" in a select list. False where the row's type is not known.
bool Resolver::expand_row(const PgQuery__AIndirection* row, const Level& level, QueryOutput& out) {
  if (row->n_indirection != 1) return false;
  const Value whole = evaluate(row->arg, level);
  consume(whole);
  Value value;
  value.position = whole.position;
  value.absorb(whole);
  const Relation* relation = relation_of_type(whole.type);
  RangeItem item;
  item.open_value = value;
  if (relation != nullptr) {
    for (const Column& column : relation->columns) {
      item.columns.push_back({column.name, value});
      item.columns.back().value.type = column.type;
    }
  } else if (!ast::is(row->arg, PG_QUERY__NODE__NODE_FUNC_CALL) ||
             !add_call_columns(row->arg, "", item) || item.columns.size() < 2) {
    return false;
  }
  out.columns.insert(out.columns.end(), item.columns.begin(), item.columns.end());
  return true;
}

void Resolver::expand_item(const RangeItem& item, std::uint32_t position, QueryOutput& out) {
  if (!item.countable) out.countable = false;
  for (std::size_t i = 0; i < item.size(); ++i) {
    out.columns.push_back({item.name(i), column_of(item, i, position)});
  }
}

/// "*", "t.*" and "s.t.*" in a select list.
void Resolver::expand_star(const PgQuery__ColumnRef* ref, const Level& level, QueryOutput& out) {
  const auto position = static_cast<std::uint32_t>(ref->location);
  const std::vector<std::string_view> names = names_of(ref);
  if (names.size() == 1) {
    for (const RangeItem& item : level.items) {
      if (item.columns_visible) expand_item(item, position, out);
    }
    return;
  }
  const std::string_view schema = names.size() > 2 ? names[names.size() - 3] : "";
  const RangeItem* item = find_item(schema, names[names.size() - 2], level);
  if (item == nullptr) return fail("unknown table before .*", position);
  expand_item(*item, position, out);
}

}  // namespace postern::sql
