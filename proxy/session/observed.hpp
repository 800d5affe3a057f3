// What mode `observe` would have refused, told once per application and shape of statement.
#pragma once

#include <string_view>

#include "proxy/session/unit.hpp"

namespace postern::proxy {

/// Further pairs of application and shape are only counted, by the metrics.
inline constexpr std::size_t kMaxObserved = 1000;

/// Writes a log line for the first violation of this application by a text of this shape. The text
/// is shown without its literals. Any thread.
void note_observed(std::string_view application, const AnalysedText& analysed);

}  // namespace postern::proxy
