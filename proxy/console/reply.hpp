// What a command answers: typed columns, rows of cells, a tag.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "proxy/console/command.hpp"

namespace postern::proxy::console {

/// Types of columns; every one has a text and a binary form.
enum class Type : std::uint8_t { kText, kInt4, kInt8 };

struct Column {
  std::string_view name;
  Type type = Type::kText;
};

/// A value: NULL, text, or a number in an integer column.
using Cell = std::variant<std::monostate, std::string, std::int64_t>;
using Row = std::vector<Cell>;

struct Reply {
  std::vector<Row> rows;  ///< each as wide as columns_of(verb)
  std::string tag;        ///< of CommandComplete
};

/// The columns of a command's rows, PgBouncer's (1.25) in PgBouncer's order, ours behind them.
/// Empty: the command has no rows. Known without running it, for Describe.
std::span<const Column> columns_of(Verb verb);

/// What CommandComplete says, "SHOW" or the command's first word.
std::string tag_of(Verb verb);

}  // namespace postern::proxy::console
