// Reading dates. PostgreSQL's parser (datetime.c) takes much more than it documents; this one knows
// the forms listed in date.hpp, gives PostgreSQL's answer for each, and refuses the rest.
#include <algorithm>
#include <array>
#include <optional>

#include "base/codes/types.hpp"
#include "types/date.hpp"
#include "types/date_scan.hpp"

namespace postern::types {
namespace {

constexpr std::size_t kMaxInput = 100;  // PostgreSQL's own buffer holds a little more

/// What has been read, before PostgreSQL's adjustments and checks.
struct RawDate {
  std::int64_t year = 0;
  int month = 0;
  int day = 0;
  bool two_digit_year = false;
  bool ends_in_word = false;  ///< letters directly behind it would belong to it
};

Error not_understood() {
  return make_error(pst::kValueNotUnderstood, "date");
}
Error invalid() {
  return make_error(pst::kInvalidDatetime, "date");
}

std::optional<int> month_named(std::string_view word) {
  constexpr std::array<std::string_view, 12> kNames = {
      "january", "february", "march",     "april",   "may",      "june",
      "july",    "august",   "september", "october", "november", "december"};
  if (word == "sept") return 9;
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (word == kNames[i] || word == kNames[i].substr(0, 3)) return static_cast<int>(i) + 1;
  }
  return std::nullopt;
}

void set_year(RawDate& date, const Number& n) {
  date.year = n.value;
  date.two_digit_year = !n.is_long();
}

// 1-2-1999: only a number of three digits or more moves the year to the front.
Result<RawDate> from_numbers(const std::array<Number, 3>& n, DateOrder order) {
  RawDate date;
  if (n[0].is_long() || order == DateOrder::kYmd) {
    // 1999-032 reads as a day of the year.
    if (n[1].digits == 3 && n[1].value >= 1 && n[1].value <= 366) return not_understood();
    set_year(date, n[0]);
    date.month = n[1].value;
    date.day = n[2].value;
    return date;
  }
  const bool day_first = order == DateOrder::kDmy;
  date.day = day_first ? n[0].value : n[1].value;
  date.month = day_first ? n[1].value : n[0].value;
  set_year(date, n[2]);
  return date;
}

// Two numbers beside a month name: the year comes first where it is long or the order is YMD,
// unless the other one turns out to be the only possible year.
RawDate from_named_month(int month, const std::array<Number, 2>& n, DateOrder order) {
  RawDate date;
  date.month = month;
  const bool day_first = !n[0].is_long() && (order != DateOrder::kYmd || n[1].is_long());
  set_year(date, n[day_first ? 1 : 0]);
  date.day = n[day_first ? 0 : 1].value;
  return date;
}

// YYYYMMDD or YYMMDD.
Result<RawDate> from_run(std::string_view digits) {
  if (digits.size() != 8 && digits.size() != 6) return not_understood();
  const std::size_t year_digits = digits.size() - 4;
  const auto part = [&](std::size_t from, std::size_t count) {
    return to_number(digits.substr(from, count)).value_or(Number{});
  };
  RawDate date;
  set_year(date, part(0, year_digits));
  date.month = part(year_digits, 2).value;
  date.day = part(year_digits + 2, 2).value;
  return date;
}

char accept_separator(Scanner& in) {
  for (const char c : {'-', '/', '.'}) {
    if (in.accept(c)) return c;
  }
  return '\0';
}

// "8-Jan-1999" after its first number and separator.
Result<RawDate> named_month_second(Scanner& in, const Number& first, char separator,
                                   DateOrder order) {
  const auto month = month_named(in.letters());
  if (!month || !in.accept(separator)) return not_understood();
  const auto second = to_number(in.digits());
  if (!second) return not_understood();
  RawDate date = from_named_month(*month, {first, *second}, order);
  date.ends_in_word = true;
  return date;
}

// "8 Jan 1999" after its first number.
Result<RawDate> spaced_month_second(Scanner& in, const Number& first, DateOrder order) {
  constexpr std::size_t kMaxSpacedDigits = 5;  // more would be read as YYMMDD
  const auto month = month_named(in.letters());
  if (!month || !in.skip_spaces()) return not_understood();
  const auto second = to_number(in.digits());
  const bool plain =
      second && first.digits <= kMaxSpacedDigits && second->digits <= kMaxSpacedDigits;
  if (!plain) return not_understood();
  // In MDY order PostgreSQL first takes the number for a month and corrects itself only if it could
  // be a day.
  const bool taken_for_month = !first.is_long() && order == DateOrder::kMdy;
  if (taken_for_month && (first.value < 1 || first.value > 31)) return invalid();
  return from_named_month(*month, {first, *second}, order);
}

// "Jan 8, 1999", "Jan-08-1999".
Result<RawDate> named_month_first(Scanner& in, DateOrder order) {
  const auto month = month_named(in.letters());
  if (!month) return not_understood();
  const char separator = accept_separator(in);
  if (separator == '\0' && !in.skip_spaces()) return not_understood();
  const auto first = to_number(in.digits());
  const bool separated = separator != '\0' ? in.accept(separator)
                                           : (in.accept(',') | static_cast<int>(in.skip_spaces()));
  const auto second = to_number(in.digits());
  if (!first || !separated || !second) return not_understood();
  const bool plain = separator != '\0' || (first->digits <= 5 && second->digits <= 5);
  if (!plain) return not_understood();
  RawDate date = from_named_month(*month, {*first, *second}, order);
  date.ends_in_word = separator != '\0';
  return date;
}

Result<RawDate> read_date(Scanner& in, DateOrder order) {
  if (is_lower(in.peek())) return named_month_first(in, order);
  const std::string_view digits = in.digits();
  const char separator = accept_separator(in);
  if (separator == '\0' && digits.size() >= 6) return from_run(digits);
  const auto first = to_number(digits);
  if (!first) return not_understood();
  if (separator == '\0') {
    if (!in.skip_spaces()) return not_understood();
    return spaced_month_second(in, *first, order);
  }
  if (is_lower(in.peek())) return named_month_second(in, *first, separator, order);
  const auto second = to_number(in.digits());
  if (!second || !in.accept(separator)) return not_understood();
  const auto third = to_number(in.digits());
  if (!third) return not_understood();
  return from_numbers({*first, *second, *third}, order);
}

// PostgreSQL's ValidateDate and the range check of date_in, in their order.
Result<Days> validated(RawDate date, Era era) {
  constexpr int kCentury = 100;
  constexpr int kFirstYearOf1900s = 70;
  const auto overflow = [] { return make_error(pst::kDatetimeFieldOverflow, "date"); };
  const bool adjusts = date.two_digit_year && era != Era::kBc;
  if (!adjusts && date.year <= 0) return overflow();
  if (era == Era::kBc) date.year = 1 - date.year;
  if (adjusts && date.year < kCentury) date.year += date.year < kFirstYearOf1900s ? 2000 : 1900;
  if (date.month < 1 || date.month > 12 || date.day < 1 || date.day > 31) {
    Error error = overflow();
    error.hint = "Perhaps you need a different \"datestyle\" setting.";
    return error;
  }
  if (date.day > days_in_month(date.year, date.month)) return overflow();
  const std::int64_t days = days_from_civil({date.year, date.month, date.day});
  if (days < kFirstDate || days > kLastDate) return make_error(pst::kDateOutOfRange);
  return static_cast<Days>(days);
}

// A value that is one word. PostgreSQL knows some more that depend on the clock.
std::optional<Result<Days>> read_word(std::string_view word) {
  if (word == "infinity") return Result<Days>(kDateInfinity);
  if (word == "-infinity") return Result<Days>(kDateMinusInfinity);
  if (word == "epoch") return Result<Days>(static_cast<Days>(days_from_civil({1970, 1, 1})));
  for (const std::string_view clock : {"now", "today", "tomorrow", "yesterday"}) {
    if (word == clock) return Result<Days>(not_understood());
  }
  const bool one_word = std::all_of(word.begin(), word.end(), is_lower);
  if (word.empty() || one_word) return Result<Days>(invalid());
  return std::nullopt;
}

}  // namespace

Result<Days> parse_date(std::string_view text, DateOrder order) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  if (text.size() > kMaxInput) return not_understood();
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  if (auto special = read_word(lower)) return std::move(*special);
  Scanner in(lower);
  POSTERN_ASSIGN(const RawDate date, read_date(in, order));
  POSTERN_ASSIGN(const Era era, read_date_tail(in, date.ends_in_word));
  return validated(date, era);
}

}  // namespace postern::types
