// The lexical half of date_parse.cpp: a cursor, numbers, and what may follow a date.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.hpp"

namespace postern::types {

inline bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}
inline bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
inline bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}

/// A cursor over lower-cased text, which must outlive it.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  [[nodiscard]] bool at_end() const { return rest_.empty(); }
  [[nodiscard]] char peek() const { return rest_.empty() ? '\0' : rest_.front(); }
  bool accept(char c) {
    if (peek() != c || rest_.empty()) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool skip_spaces() {
    const std::size_t before = rest_.size();
    while (!rest_.empty() && is_space(rest_.front())) rest_.remove_prefix(1);
    return rest_.size() != before;
  }
  std::string_view digits() { return take(is_digit); }
  std::string_view letters() { return take(is_lower); }

 private:
  template <typename Predicate>
  std::string_view take(Predicate wanted) {
    std::size_t n = 0;
    while (n < rest_.size() && wanted(rest_[n])) ++n;
    const std::string_view taken = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return taken;
  }
  std::string_view rest_;
};

struct Number {
  int value = 0;
  std::size_t digits = 0;
  /// Three digits or more can only be a year.
  [[nodiscard]] bool is_long() const { return digits >= 3; }
};

/// At most kMaxNumberDigits decimal digits, which stay within int; nullopt otherwise.
inline constexpr std::size_t kMaxNumberDigits = 9;
std::optional<Number> to_number(std::string_view digits);

enum class Era : std::uint8_t { kNone, kAd, kBc };

/// Reads to the end what may follow a date: a time of day and a zone (checked, then ignored), an
/// era. `after_word`: letters directly behind the date would belong to it. kValueNotUnderstood,
/// kInvalidDatetime.
Result<Era> read_date_tail(Scanner& in, bool after_word);

}  // namespace postern::types
