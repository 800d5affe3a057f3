#include <algorithm>
#include <charconv>

#include "schema/pii.hpp"

namespace postern::schema {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

std::size_t count_digits(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), is_digit));
}

/// "0000-00-00" fits "1999-12-31": '0' stands for a digit, all else for itself.
bool has_shape(std::string_view text, std::string_view shape) {
  return text.size() == shape.size() &&
         std::equal(text.begin(), text.end(), shape.begin(),
                    [](char c, char s) { return s == '0' ? is_digit(c) : c == s; });
}

int year_of(std::string_view date) {
  int year = 0;
  if (has_shape(date, "0000-00-00")) std::from_chars(date.data(), date.data() + 4, year);
  return year;
}

/// Dates of people: long past, and spread over a generation.
bool looks_like_birth_dates(const std::vector<std::string>& values, std::string_view today) {
  constexpr int kOldest = 120;
  constexpr int kYoungest = 10;
  constexpr int kSpread = 20;
  const int now = year_of(today);
  std::vector<int> years;
  for (const std::string& value : values) {
    const int year = year_of(value);
    if (year > now - kOldest && year <= now - kYoungest) years.push_back(year);
  }
  if (years.size() * 100 < values.size() * kMatchPercent || years.empty()) return false;
  const auto [first, last] = std::minmax_element(years.begin(), years.end());
  return *last - *first >= kSpread;
}

bool one_length(const std::vector<std::string>& values) {
  return std::all_of(values.begin(), values.end(), [&](const std::string& value) {
    return value.size() == values.front().size();
  });
}

/// A code that repeats is no identity.
bool mostly_distinct(std::vector<std::string> values) {
  const std::size_t all = values.size();
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  return values.size() * 2 >= all;
}

template <typename Recogniser>
bool most(const std::vector<std::string>& values, Recogniser recognises) {
  const auto hits = static_cast<std::size_t>(std::count_if(
      values.begin(), values.end(), [&](const std::string& value) { return recognises(value); }));
  return hits * 100 >= values.size() * kMatchPercent;
}

}  // namespace

bool looks_like_email(std::string_view value) {
  constexpr std::size_t kLongest = 254;
  const std::size_t at = value.find('@');
  if (value.size() > kLongest || at == 0 || at == value.npos) return false;
  const std::string_view domain = value.substr(at + 1);
  const std::size_t dot = domain.rfind('.');
  if (dot == domain.npos || dot == 0 || domain.size() - dot < 3) return false;
  const auto local_char = [](char c) {
    return is_letter(c) || is_digit(c) ||
           std::string_view(".!#$%&'*+/=?^_`{|}~-").find(c) != std::string_view::npos;
  };
  const auto domain_char = [](char c) {
    return is_letter(c) || is_digit(c) || c == '.' || c == '-';
  };
  return std::all_of(value.begin(), value.begin() + static_cast<std::ptrdiff_t>(at), local_char) &&
         std::all_of(domain.begin(), domain.end(), domain_char);
}

bool looks_like_phone(std::string_view value) {
  constexpr std::size_t kFewest = 7;
  constexpr std::size_t kMost = 15;  // ITU-T E.164
  const std::size_t digits = count_digits(value);
  if (digits < kFewest || digits > kMost) return false;
  const auto allowed = [](char c) {
    return is_digit(c) || std::string_view("+ -()/.").find(c) != std::string_view::npos;
  };
  if (!std::all_of(value.begin(), value.end(), allowed)) return false;
  if (value.front() == '+') return true;
  if (has_shape(value, "000-000-0000") || has_shape(value, "000.000.0000")) return true;
  const bool national = value.front() == '(' || value.front() == '0';
  return national && value.size() > digits && value.find('.') == value.npos;
}

bool looks_like_national_id(std::string_view value) {
  constexpr std::size_t kFewest = 9;
  constexpr std::size_t kMost = 14;
  if (has_shape(value, "000-00-0000")) return true;
  return value.size() >= kFewest && value.size() <= kMost && count_digits(value) == value.size();
}

std::optional<PiiKind> pii_by_values(const std::vector<std::string>& values, ValueClass values_of,
                                     std::string_view today) {
  if (values.size() < kLeastValues) return std::nullopt;
  if (values_of == ValueClass::kDate || values_of == ValueClass::kText) {
    if (looks_like_birth_dates(values, today)) return PiiKind::kBirthDate;
  }
  if (values_of != ValueClass::kText) return std::nullopt;
  if (most(values, looks_like_email)) return PiiKind::kEmail;
  if (most(values, looks_like_phone)) return PiiKind::kPhone;
  if (most(values, looks_like_national_id) && one_length(values) && mostly_distinct(values)) {
    return PiiKind::kNationalId;
  }
  return std::nullopt;
}

}  // namespace postern::schema
