#include "proxy/admin/console_wiring.hpp"

#include <algorithm>
#include <csignal>
#include <unistd.h>
#include <utility>

#include "base/codes/session.hpp"
#include "proxy/runtime/runtime.hpp"

namespace postern::proxy {
namespace {

std::vector<console::PoolRow> pools_of(const Runtime& runtime) {
  std::vector<console::PoolRow> rows;
  for (const PoolStats& pool : runtime.broker.stats()) {
    console::PoolRow row;
    row.node = pool.key.node;
    row.database = pool.key.database;
    row.user = pool.key.user;
    row.mode = "session";
    row.size = pool.size;
    // In session pooling a server in use is a client served.
    row.sv_active = pool.total - std::min(pool.total, pool.idle);
    row.cl_active = row.sv_active;
    row.sv_idle = pool.idle;
    row.cl_waiting = pool.waiting;
    rows.push_back(std::move(row));
  }
  return rows;
}

// The main thread waits for these signals. Two different ones, because a signal that is pending
// already is not queued again: the second ends what the first gave time to.
Status shut_down(const std::string& mode) {
  if (mode == "WAIT_FOR_CLIENTS") {
    Error error = make_error(pst::kConsoleNotServed, "SHUTDOWN WAIT_FOR_CLIENTS");
    error.hint = "SHUTDOWN WAIT_FOR_SERVERS gives busy sessions limits.shutdown_timeout.";
    return error;
  }
  ::kill(::getpid(), SIGTERM);
  if (mode.empty()) ::kill(::getpid(), SIGINT);
  return ok();
}

}  // namespace

std::unique_ptr<console::Console> make_console(Runtime* runtime) {
  console::Actions actions;
  actions.shutdown = shut_down;
  console::Sources sources;
  sources.pools = [runtime] { return pools_of(*runtime); };
  return std::make_unique<console::Console>(runtime, std::move(actions), std::move(sources));
}

}  // namespace postern::proxy
