// The background work of the pools: ages, minimum sizes, recovery of servers.
#pragma once

#include "proxy/runtime/runtime.hpp"

namespace postern::proxy {

/// Runs on `home` until it stops. `runtime` outlives it.
Task<void> care_for_pools(Runtime* runtime, Worker* home);

}  // namespace postern::proxy
