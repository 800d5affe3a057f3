#include "types/date_scan.hpp"

#include <charconv>

#include "base/codes/types.hpp"

namespace postern::types {
namespace {

Error not_understood() {
  return make_error(pst::kValueNotUnderstood, "date");
}

std::optional<int> two_digits(Scanner& in, int max) {
  const auto number = to_number(in.digits());
  if (!number || number->digits > 2 || number->value > max) return std::nullopt;
  return number->value;
}

// HH:MM[:SS[.ffffff]]; PostgreSQL checks it and drops it.
bool skip_time(Scanner& in) {
  if (!two_digits(in, 23) || !in.accept(':') || !two_digits(in, 59)) return false;
  if (!in.accept(':')) return true;
  if (!two_digits(in, 59)) return false;
  if (!in.accept('.')) return true;
  const std::size_t fraction = in.digits().size();
  return fraction >= 1 && fraction <= kMaxNumberDigits;
}

// Z, +HH, +HH:MM or +HHMM.
bool skip_zone(Scanner& in) {
  constexpr int kMaxHours = 15;
  if (in.accept('z')) return true;
  if (!in.accept('+') && !in.accept('-')) return false;
  const std::string_view digits = in.digits();
  const auto hours = to_number(digits.substr(0, 2));
  if (!hours || hours->digits != 2 || hours->value > kMaxHours) return false;
  if (digits.size() == 2) return !in.accept(':') || two_digits(in, 59).has_value();
  const auto minutes = to_number(digits.substr(2));
  return minutes && minutes->digits == 2 && minutes->value <= 59;
}

/// How what follows touches what was read: after "8-jan-1999" or "z" a word without a space would
/// belong to it.
struct Junction {
  bool spaced = false;
  bool after_word = false;
  [[nodiscard]] bool joins_word() const { return after_word && !spaced; }
};

// A time of day and a zone, each optional; false where they are malformed.
bool skip_time_and_zone(Scanner& in, Junction& junction) {
  if (junction.joins_word()) return true;
  const bool time = in.accept('t') || (junction.spaced && is_digit(in.peek()));
  if (time) {
    if (!skip_time(in)) return false;
    junction = {in.skip_spaces(), false};
  }
  // Directly after the date a '-' would be one more separator.
  const bool sign = in.peek() == '+' || (in.peek() == '-' && (time || junction.spaced));
  const bool zulu = time && in.peek() == 'z';
  if (!sign && !zulu) return true;
  if (!skip_zone(in)) return false;
  junction = {in.skip_spaces(), zulu};
  return true;
}

}  // namespace

std::optional<Number> to_number(std::string_view digits) {
  if (digits.empty() || digits.size() > kMaxNumberDigits) return std::nullopt;
  Number number;
  number.digits = digits.size();
  std::from_chars(digits.data(), digits.data() + digits.size(), number.value);
  return number;
}

Result<Era> read_date_tail(Scanner& in, bool after_word) {
  Junction junction{in.skip_spaces(), after_word};
  if (!skip_time_and_zone(in, junction)) return not_understood();
  const std::string_view word = in.letters();
  in.skip_spaces();
  if (!in.at_end()) return not_understood();
  if (word.empty()) return Era::kNone;
  if (word != "bc" && word != "ad") return not_understood();
  if (junction.joins_word()) return make_error(pst::kInvalidDatetime, "date");
  return word == "bc" ? Era::kBc : Era::kAd;
}

}  // namespace postern::types
