#include "types/date.hpp"

namespace postern::types {
namespace {

constexpr std::int64_t kDaysPer400Years = 146097;
constexpr std::int64_t kDaysPer100Years = 36524;
constexpr std::int64_t kDaysPer4Years = 1461;
constexpr std::int64_t kDaysPerYear = 365;
// From 0000-03-01 to 2000-01-01: five cycles of 400 years less the 60 days of January and February
// of the leap year 2000 (counting from March puts the leap day last).
constexpr std::int64_t kEpochFromMarchZero = 5 * kDaysPer400Years - 60;

bool is_leap(std::int64_t year) noexcept {
  return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

std::int64_t floor_div(std::int64_t a, std::int64_t b) noexcept {
  return a / b - (a % b < 0 ? 1 : 0);
}

// Days before month m (0 = March) in a year that begins in March.
std::int64_t days_before_month(std::int64_t m) noexcept {
  return (153 * m + 2) / 5;
}

void append_padded(std::int64_t number, std::size_t width, Bytes& out) {
  const std::string digits = std::to_string(number);
  if (digits.size() < width) out.append(width - digits.size(), '0');
  out += digits;
}

struct Fields {
  char separator;
  char order[4];  // Y, M, D
};

Fields fields_of(const Render& settings) {
  const bool day_first = settings.date_order == DateOrder::kDmy;
  switch (settings.date_style) {
    case DateStyle::kIso:
      return {'-', "YMD"};
    case DateStyle::kGerman:
      return {'.', "DMY"};
    case DateStyle::kSql:
      return day_first ? Fields{'/', "DMY"} : Fields{'/', "MDY"};
    case DateStyle::kPostgres:
      return day_first ? Fields{'-', "DMY"} : Fields{'-', "MDY"};
  }
  return {'-', "YMD"};
}

}  // namespace

bool is_valid_date(Days days) noexcept {
  return days == kDateInfinity || days == kDateMinusInfinity ||
         (days >= kFirstDate && days <= kLastDate);
}

int days_in_month(std::int64_t year, std::int64_t month) noexcept {
  if (month == 2) return is_leap(year) ? 29 : 28;
  const bool short_month = month == 4 || month == 6 || month == 9 || month == 11;
  return short_month ? 30 : 31;
}

std::int64_t days_from_civil(const CivilDay& civil) noexcept {
  const std::int64_t year = civil.month <= 2 ? civil.year - 1 : civil.year;
  const std::int64_t month = (civil.month + 9) % 12;  // 0 = March
  const std::int64_t cycle = floor_div(year, 400);
  const std::int64_t in_cycle = year - cycle * 400;
  return cycle * kDaysPer400Years + in_cycle * kDaysPerYear + in_cycle / 4 - in_cycle / 100 +
         days_before_month(month) + civil.day - 1 - kEpochFromMarchZero;
}

CivilDay civil_from_days(std::int64_t days) noexcept {
  const std::int64_t since = days + kEpochFromMarchZero;
  const std::int64_t cycle = floor_div(since, kDaysPer400Years);
  const std::int64_t in_cycle = since - cycle * kDaysPer400Years;
  // Removing the leap days passed so far makes all years equally long.
  const std::int64_t year_in_cycle =
      (in_cycle - in_cycle / (kDaysPer4Years - 1) + in_cycle / kDaysPer100Years -
       in_cycle / (kDaysPer400Years - 1)) /
      kDaysPerYear;
  const std::int64_t in_year =
      in_cycle - (year_in_cycle * kDaysPerYear + year_in_cycle / 4 - year_in_cycle / 100);
  const std::int64_t m = (5 * in_year + 2) / 153;  // 0 = March
  CivilDay civil;
  civil.month = m < 10 ? m + 3 : m - 9;
  civil.day = in_year - days_before_month(m) + 1;
  civil.year = cycle * 400 + year_in_cycle + (civil.month <= 2 ? 1 : 0);
  return civil;
}

void append_date(Days days, const Render& settings, Bytes& out) {
  if (days == kDateInfinity || days == kDateMinusInfinity) {
    out += days == kDateInfinity ? "infinity" : "-infinity";
    return;
  }
  const CivilDay civil = civil_from_days(days);
  const bool bc = civil.year <= 0;
  const Fields fields = fields_of(settings);
  for (int i = 0; i < 3; ++i) {
    if (i > 0) out.push_back(fields.separator);
    const char field = fields.order[i];
    if (field == 'Y') append_padded(bc ? 1 - civil.year : civil.year, 4, out);
    if (field == 'M') append_padded(civil.month, 2, out);
    if (field == 'D') append_padded(civil.day, 2, out);
  }
  if (bc) out += " BC";
}

}  // namespace postern::types
