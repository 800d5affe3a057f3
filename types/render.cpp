#include "types/render.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "base/codes/types.hpp"

namespace postern::types {
namespace {

template <typename T>
using Choice = std::pair<std::string_view, T>;

constexpr Choice<DateStyle> kDateStyles[] = {{"iso", DateStyle::kIso},
                                             {"postgres", DateStyle::kPostgres},
                                             {"sql", DateStyle::kSql},
                                             {"german", DateStyle::kGerman}};
constexpr Choice<DateOrder> kDateOrders[] = {
    {"mdy", DateOrder::kMdy}, {"dmy", DateOrder::kDmy}, {"ymd", DateOrder::kYmd}};
constexpr Choice<IntervalStyle> kIntervalStyles[] = {
    {"postgres", IntervalStyle::kPostgres},
    {"postgres_verbose", IntervalStyle::kPostgresVerbose},
    {"sql_standard", IntervalStyle::kSqlStandard},
    {"iso_8601", IntervalStyle::kIso8601}};
constexpr Choice<ByteaOutput> kByteaOutputs[] = {{"hex", ByteaOutput::kHex},
                                                 {"escape", ByteaOutput::kEscape}};
constexpr int kMinExtraFloatDigits = -15;
constexpr int kMaxExtraFloatDigits = 3;

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

template <typename T, std::size_t N>
bool choose(const Choice<T> (&choices)[N], std::string_view value, T& target) {
  const auto* it = std::find_if(std::begin(choices), std::end(choices),
                                [&](const Choice<T>& c) { return c.first == value; });
  if (it == std::end(choices)) return false;
  target = it->second;
  return true;
}

// "ISO, MDY", as the server reports it: both parts are needed to read a date without guessing.
bool set_date_style(Render& render, std::string_view value) {
  const std::size_t comma = value.find(',');
  if (comma == std::string_view::npos) return false;
  Render changed = render;
  const bool understood = choose(kDateStyles, trim(value.substr(0, comma)), changed.date_style) &&
                          choose(kDateOrders, trim(value.substr(comma + 1)), changed.date_order);
  if (understood) render = changed;
  return understood;
}

bool set_extra_float_digits(Render& render, std::string_view value) {
  int digits = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), digits);
  const bool understood = error == std::errc{} && end == value.data() + value.size() &&
                          digits >= kMinExtraFloatDigits && digits <= kMaxExtraFloatDigits;
  if (understood) render.extra_float_digits = digits;
  return understood;
}

bool set_encoding(Render& render, std::string_view value) {
  render.utf8 = value == "utf8" || value == "utf-8" || value == "unicode";
  return render.utf8;
}

}  // namespace

Status apply_setting(Render& render, std::string_view name, std::string_view value) {
  const std::string setting = lower(name);
  const std::string choice = lower(trim(value));
  bool understood = true;
  if (setting == "datestyle") {
    understood = set_date_style(render, choice);
  } else if (setting == "intervalstyle") {
    understood = choose(kIntervalStyles, choice, render.interval_style);
  } else if (setting == "timezone") {
    render.timezone = std::string(value);
  } else if (setting == "extra_float_digits") {
    understood = set_extra_float_digits(render, choice);
  } else if (setting == "bytea_output") {
    understood = choose(kByteaOutputs, choice, render.bytea_output);
  } else if (setting == "client_encoding") {
    understood = set_encoding(render, choice);
  }
  if (!understood) return make_error(pst::kSettingNotSupported, setting);
  return ok();
}

}  // namespace postern::types
