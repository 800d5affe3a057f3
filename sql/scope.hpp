// Private to sql/: what names mean at one place of a query. Views point into the syntax tree and
// the catalog snapshot, both of which outlive the analysis.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "sql/catalog.hpp"

namespace postern::sql {

/// What an expression's value is made of.
struct Value {
  std::optional<ColumnRef> column;  ///< it is exactly this column's value, and no use of it has
                                    ///< been recorded yet
  std::vector<ColumnRef> sources;   ///< further columns that flow into it
  std::uint32_t position = 0;
  std::int32_t literal = -1;  ///< index into Statement::literals: it is this literal alone
  std::int32_t param = -1;    ///< index into Statement::params
  bool null = false;          ///< the keyword NULL
  bool is_default = false;    ///< the keyword DEFAULT
  Oid type = kInvalidOid;     ///< where known
  std::vector<Value> row;     ///< fields of ROW(...)

  [[nodiscard]] bool is_input() const { return literal >= 0 || param >= 0; }
  void absorb(const Value& other);  ///< other's columns flow into this value
};

/// A column of a range item that is not a table's own, or an output of a query.
struct NamedValue {
  std::string_view name;
  Value value;
};

/// One thing in FROM.
struct RangeItem {
  std::string_view alias;              ///< empty: cannot be named (a join)
  std::string_view schema;             ///< set where schema.table.column may name it
  const Relation* relation = nullptr;  ///< a table whose columns carry their own names
  std::vector<NamedValue> columns;     ///< used where `relation` is nullptr
  bool open = false;                   ///< a function: its column names are not known
  bool countable = true;               ///< the number of columns is known
  Value open_value;                    ///< what flows into every column of an open item
  bool relation_visible = true;        ///< alias.column finds it
  bool columns_visible = true;         ///< plain column finds it; "*" expands it

  [[nodiscard]] std::size_t size() const;
  /// Index of the column and how many carry the name.
  [[nodiscard]] std::pair<std::size_t, int> find(std::string_view name) const;
  [[nodiscard]] std::string_view name(std::size_t index) const;
  /// The column's value as referred to at `position`.
  [[nodiscard]] Value value(std::size_t index, std::uint32_t position) const;
};

struct CommonTable {
  std::string_view name;
  std::vector<NamedValue> columns;
  bool pending = false;  ///< WITH RECURSIVE: named, but its columns are not known yet
  bool countable = true;
};

/// One query level. Columns and common tables have different outer levels: a subquery in FROM sees
/// the common tables beside it, but not the tables (unless LATERAL).
struct Level {
  const Level* outer_columns = nullptr;
  const Level* outer_tables = nullptr;
  std::vector<RangeItem> items;
  std::vector<CommonTable> tables;
};

}  // namespace postern::sql
