// Collects what a SHOW command tells.
#pragma once

#include "config/options.hpp"
#include "proxy/console/console.hpp"
#include "proxy/net/worker.hpp"

namespace postern::proxy::console {

/// The parts that `verb` needs; workers are visited only where it needs them.
Task<Snapshot> gather(const Console* console, Worker* home, Verb verb);

/// Ends the client with this session id, told so with 57P01 where that is possible. False: none.
Task<bool> kill_client(const Console* console, Worker* home, std::uint64_t id);

/// Keys of the configuration in force with their defaults; secrets and passwords are left out.
std::vector<ConfigRow> config_rows(const config::Config& config);

}  // namespace postern::proxy::console
