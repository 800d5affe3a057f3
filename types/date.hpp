// date: the calendar, PostgreSQL's output, and the input forms that are understood.
#pragma once

#include <cstdint>
#include <limits>
#include <string_view>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "types/render.hpp"

namespace postern::types {

/// Days since 2000-01-01, as PostgreSQL counts.
using Days = std::int32_t;
inline constexpr Days kDateInfinity = std::numeric_limits<Days>::max();
inline constexpr Days kDateMinusInfinity = std::numeric_limits<Days>::min();
inline constexpr Days kFirstDate = -2451545;   ///< 4714-11-24 BC
inline constexpr Days kLastDate = 2145031948;  ///< 5874897-12-31

/// An infinity or within kFirstDate..kLastDate.
bool is_valid_date(Days days) noexcept;

/// A day of the proleptic Gregorian calendar; year 0 is 1 BC.
struct CivilDay {
  std::int64_t year = 0;
  std::int64_t month = 1;
  std::int64_t day = 1;
};
std::int64_t days_from_civil(const CivilDay& civil) noexcept;
CivilDay civil_from_days(std::int64_t days) noexcept;
int days_in_month(std::int64_t year, std::int64_t month) noexcept;

/// Reads, in any case and with white space at the ends:
///   three numbers with '-', '/' or '.' between them, in DateOrder, or year first where it has
///   three digits or more; YYYYMMDD; YYMMDD; two numbers and an English month name, separated alike
///   or by spaces ("8 Jan 1999", "January 8, 1999", "1999-Jan-08"); each with an optional time of
///   day, an optional numeric zone or Z (both checked and ignored, as PostgreSQL does) and an
///   optional AD or BC; infinity, -infinity, epoch.
/// kInvalidDatetime, kDatetimeFieldOverflow, kDateOutOfRange where PostgreSQL says so too;
/// kValueNotUnderstood for everything else.
Result<Days> parse_date(std::string_view text, DateOrder order);

/// As EncodeDateOnly and EncodeSpecialDate. `days` must be valid.
void append_date(Days days, const Render& settings, Bytes& out);

}  // namespace postern::types
