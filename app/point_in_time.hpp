// Points in time as people write them on a command line.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.hpp"

namespace postern::app {

/// Microseconds since 1970-01-01 UTC of "2026-01-31", "2026-01-31T09:30", "2026-01-31T09:30:00Z"
/// (always UTC), or of an age before `now_us` ("90s", "15m", "12h", "7d"). kBadTime otherwise.
Result<std::int64_t> parse_time(std::string_view text, std::int64_t now_us);

}  // namespace postern::app
