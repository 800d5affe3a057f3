// A small result set in text form, as service connections return it.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace postern::proxy {

using Row = std::vector<std::optional<std::string>>;

/// Rows of one statement, all values in PostgreSQL's text format.
using Rows = std::vector<Row>;

}  // namespace postern::proxy
