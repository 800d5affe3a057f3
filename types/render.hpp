// The session settings that decide how values are read and written.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace postern::types {

enum class DateStyle : std::uint8_t { kIso, kPostgres, kSql, kGerman };
enum class DateOrder : std::uint8_t { kMdy, kDmy, kYmd };
enum class IntervalStyle : std::uint8_t { kPostgres, kPostgresVerbose, kSqlStandard, kIso8601 };
enum class ByteaOutput : std::uint8_t { kHex, kEscape };

/// Settings of one session; the defaults are PostgreSQL's.
struct Render {
  DateStyle date_style = DateStyle::kIso;
  DateOrder date_order = DateOrder::kMdy;
  IntervalStyle interval_style = IntervalStyle::kPostgres;
  std::string timezone = "GMT";
  int extra_float_digits = 1;
  ByteaOutput bytea_output = ByteaOutput::kHex;
  bool utf8 = true;  ///< client_encoding is UTF8; nothing else is supported
};

/// Applies a setting as the server reports it (ParameterStatus or SHOW): datestyle, intervalstyle,
/// timezone, extra_float_digits, bytea_output, client_encoding; names in any case. Other names are
/// ignored. kSettingNotSupported for a value that is not understood, `render` left as it was; for a
/// client_encoding other than UTF8 the fact is kept, and parse and render refuse text from then on.
Status apply_setting(Render& render, std::string_view name, std::string_view value);

}  // namespace postern::types
