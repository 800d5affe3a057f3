// text and varchar(n): UTF-8 without NUL, the same bytes in every format.
#pragma once

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace postern::types {

/// The part of `text` that a column of `length` characters (0 = no limit) stores: all of it, or
/// what is left after removing excess spaces. A view into `text`. kBadCharacter, kStringTooLong.
Result<ByteView> fit_text(ByteView text, std::int32_t length);

/// Offset of the first byte that is NUL or begins an ill-formed UTF-8 sequence; npos if none.
std::size_t find_bad_character(ByteView text) noexcept;

}  // namespace postern::types
