// How deep a syntax tree can get, measured on tokens, before libpg_query sees the text: its parser
// has no stack guard, and deep trees overflow the stack of the calling thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "sql/lexer.hpp"

namespace postern::sql {

struct NestingLimits {
  std::size_t depth = 500;   ///< brackets, CASE ... END
  std::size_t chain = 1500;  ///< links on one path from the root: operators, joins, set operations
                             ///< and brackets added up over everything that is open
};

struct NestingFault {
  const char* reason = nullptr;  ///< nullptr: within the limits
  std::uint32_t position = 0;
};

/// Counts so that the tree is never deeper than counted; flat lists (commas, AND, OR) are free.
NestingFault check_nesting(std::string_view sql, const Tokens& tokens, NestingLimits limits);

}  // namespace postern::sql
