// Outgoing connections with a deadline over name resolution and all addresses.
#pragma once

#include <chrono>

#include "base/result.hpp"
#include "proxy/net/endpoint.hpp"
#include "proxy/net/transport.hpp"
#include "proxy/net/worker.hpp"

namespace postern::proxy {

/// Connects to a host and port (every address in the resolver's order, each within an equal share
/// of the time that is left) or a unix socket, within `timeout` altogether, rounded up to
/// Worker::kTick. Runs on `worker`'s thread; the worker outlives it. kResolveFailed, kConnectFailed
/// (the last address's reason), kConnectTimeout (it gave none in time). Numeric addresses never
/// reach the resolver.
Task<Result<Transport>> connect(Worker* worker, Endpoint endpoint,
                                std::chrono::milliseconds timeout);

}  // namespace postern::proxy
