#include "app/point_in_time.hpp"

#include <charconv>
#include <chrono>
#include <optional>
#include <string>

#include "base/codes/tools.hpp"

namespace postern::app {
namespace {

constexpr std::int64_t kSecond = 1'000'000;

std::optional<std::int64_t> digits(std::string_view text, std::size_t at, std::size_t size) {
  if (at + size > text.size()) return std::nullopt;
  std::int64_t value = 0;
  const char* const begin = text.data() + at;
  if (*begin < '0' || *begin > '9') return std::nullopt;  // no sign
  const auto [end, code] = std::from_chars(begin, begin + size, value);
  if (code != std::errc{} || end != begin + size) return std::nullopt;
  return value;
}

std::optional<std::int64_t> parse_age(std::string_view text) {
  constexpr std::size_t kMaxDigits = 7;
  if (text.size() < 2 || text.size() > kMaxDigits + 1) return std::nullopt;
  const auto count = digits(text, 0, text.size() - 1);
  if (!count) return std::nullopt;
  switch (text.back()) {
    case 's':
      return *count * kSecond;
    case 'm':
      return *count * 60 * kSecond;
    case 'h':
      return *count * 3600 * kSecond;
    case 'd':
      return *count * 86400 * kSecond;
    default:
      return std::nullopt;
  }
}

std::optional<std::int64_t> parse_day(std::string_view text) {
  const auto year = digits(text, 0, 4);
  const auto month = digits(text, 5, 2);
  const auto day = digits(text, 8, 2);
  if (!year || !month || !day || text[4] != '-' || text[7] != '-') return std::nullopt;
  const std::chrono::year_month_day date(std::chrono::year(static_cast<int>(*year)),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day)));
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days(date).time_since_epoch().count() * 86400 * kSecond;
}

std::optional<std::int64_t> parse_clock(std::string_view text) {
  constexpr std::size_t kMinutes = 6;  // "T09:30"
  constexpr std::size_t kSeconds = 9;  // "T09:30:00"
  if (text.ends_with('Z')) text.remove_suffix(1);
  if (text.size() != kMinutes && text.size() != kSeconds) return std::nullopt;
  const auto hour = digits(text, 1, 2);
  const auto minute = digits(text, 4, 2);
  const auto second = text.size() == kSeconds ? digits(text, 7, 2) : std::optional<std::int64_t>(0);
  const bool separators = (text[0] == 'T' || text[0] == ' ') && text[3] == ':' &&
                          (text.size() == kMinutes || text[6] == ':');
  if (!separators || !hour || !minute || !second) return std::nullopt;
  if (*hour > 23 || *minute > 59 || *second > 59) return std::nullopt;
  return ((*hour * 60 + *minute) * 60 + *second) * kSecond;
}

}  // namespace

Result<std::int64_t> parse_time(std::string_view text, std::int64_t now_us) {
  constexpr std::size_t kDay = 10;
  if (const auto age = parse_age(text)) return now_us - *age;
  if (text.size() >= kDay) {
    const auto day = parse_day(text);
    const auto clock =
        text.size() == kDay ? std::optional<std::int64_t>(0) : parse_clock(text.substr(kDay));
    if (day && clock) return *day + *clock;
  }
  return make_error(pst::kBadTime, "\"" + std::string(text) + "\"");
}

}  // namespace postern::app
