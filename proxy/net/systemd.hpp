// What systemd tells a service and hears from it (sd_notify(3), sd_listen_fds(3)), without its
// library: an environment variable and a datagram each.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>
#include <vector>

#include "proxy/net/fd.hpp"

namespace postern::proxy {

/// Sends "READY=1", "RELOADING=1", "STOPPING=1" or "WATCHDOG=1" to $NOTIFY_SOCKET; nothing where it
/// is not set. RELOADING gets the time that the protocol demands with it. Failure is ignored: the
/// manager has its own deadlines. Any thread.
void notify_manager(std::string_view state);

/// The distance of signs of life: half of $WATCHDOG_USEC, where it is set for this process.
std::optional<std::chrono::microseconds> watchdog_interval();

/// The listening sockets that $LISTEN_FDS passes to this process ($LISTEN_PID), non-blocking and
/// closed on exec. Empty without activation. Call once, at start; clears the variables.
std::vector<UniqueFd> inherited_sockets();

}  // namespace postern::proxy
