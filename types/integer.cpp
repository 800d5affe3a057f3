#include "types/integer.hpp"

#include <limits>

#include "base/codes/types.hpp"

namespace postern::types {
namespace {

bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::int64_t smallest(IntWidth width) {
  const int bits = static_cast<int>(width) * 8;
  return std::numeric_limits<std::int64_t>::min() >> (64 - bits);
}

void skip_spaces(std::string_view& text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
}

}  // namespace

bool fits(std::int64_t value, IntWidth width) noexcept {
  return value >= smallest(width) && value <= -(smallest(width) + 1);
}

Result<std::int64_t> parse_integer(std::string_view text, IntWidth width) {
  skip_spaces(text);
  const bool negative = !text.empty() && text.front() == '-';
  if (negative || (!text.empty() && text.front() == '+')) text.remove_prefix(1);
  if (text.empty() || !is_digit(text.front())) return make_error(pst::kInvalidTextValue);
  // Collected as a negative number, whose range is larger by one. PostgreSQL reports an overflow as
  // soon as it happens, before looking at what follows the digits.
  std::int64_t value = 0;
  while (!text.empty() && is_digit(text.front())) {
    const bool overflow = __builtin_mul_overflow(value, std::int64_t{10}, &value) ||
                          __builtin_sub_overflow(value, std::int64_t{text.front() - '0'}, &value) ||
                          value < smallest(width);
    if (overflow) return make_error(pst::kNumberOutOfRange);
    text.remove_prefix(1);
  }
  skip_spaces(text);
  if (!text.empty()) return make_error(pst::kInvalidTextValue);
  if (negative) return value;
  if (value == smallest(width)) return make_error(pst::kNumberOutOfRange);
  return -value;
}

}  // namespace postern::types
