// The numbers behind one reading of /metrics, and whether the process can serve.
#pragma once

#include <string>
#include <vector>

#include "proxy/runtime/runtime.hpp"

namespace postern::proxy {

/// Series of pools beyond this share the user "(others)".
inline constexpr std::size_t kMaxPoolSeries = 1'000;

/// Prometheus text of everything. Any thread.
std::string scrape(Runtime& runtime);

/// Why the process cannot serve, one line a reason; empty: it can. It cannot while it stops, while
/// the access log has failed, where no node of a cluster answers, or where a protected database
/// that was asked for is blocked. Any thread.
std::vector<std::string> not_ready(const Runtime& runtime);

}  // namespace postern::proxy
