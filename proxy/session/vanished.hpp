// Connections whose peer's host has vanished.
#pragma once

#include "proxy/session/session.hpp"

namespace postern::proxy {

/// Looks at what a worker's sessions wait for, again and again, and closes what a host has left
/// unacknowledged for too long: a server's for its cluster's unacknowledged_timeout, a client's
/// that holds a server connection for the time of keepalive. Runs on the worker until that stops.
Task<void> watch_hosts(WorkerContext* context);

}  // namespace postern::proxy
