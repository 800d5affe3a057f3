// int2, int4 and int8 in PostgreSQL's text form.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.hpp"

namespace postern::types {

/// Bytes of the type: 2, 4 or 8.
enum class IntWidth : std::uint8_t { k2 = 2, k4 = 4, k8 = 8 };

/// As int2in, int4in and int8in of PostgreSQL 15: white space, sign, decimal digits, white space.
/// kInvalidTextValue, kNumberOutOfRange; where both could be said, the one PostgreSQL says.
Result<std::int64_t> parse_integer(std::string_view text, IntWidth width);

bool fits(std::int64_t value, IntWidth width) noexcept;

}  // namespace postern::types
