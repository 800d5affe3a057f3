// Looking at every worker's sessions from a coroutine.
#pragma once

#include <functional>

#include "proxy/console/console.hpp"
#include "proxy/runtime/runtime.hpp"

namespace postern::proxy::console {

/// Runs `look` once on each worker's thread, never two at the same time, and returns when all have
/// looked. `look` may use what the caller's coroutine holds. A worker that does not answer within
/// kVisitTime is left out: it is busy, and the console must not hang with it.
Task<void> visit_workers(const Console* console, Worker* home,
                         std::function<void(WorkerContext&)> look);

inline constexpr std::chrono::seconds kVisitTime{2};

}  // namespace postern::proxy::console
