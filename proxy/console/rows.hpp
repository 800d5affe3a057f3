// Columns and rows of the console on the wire.
#pragma once

#include "base/bytes.hpp"
#include "proxy/console/reply.hpp"

namespace postern::proxy::console {

/// Appends a RowDescription, or NoData where there are no columns. `formats` is empty (all text) or
/// has one code a column.
Status describe_columns(std::span<const Column> columns, std::span<const std::int16_t> formats,
                        Bytes& out);

/// Appends a DataRow. A number in a text column is written out; binary integers are big-endian.
Status append_row(std::span<const Column> columns, std::span<const std::int16_t> formats,
                  const Row& row, Bytes& out);

}  // namespace postern::proxy::console
