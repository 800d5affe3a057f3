#include "proxy/admin/console_wiring.hpp"

#include <algorithm>
#include <csignal>
#include <unistd.h>
#include <utility>

#include "base/codes/session.hpp"
#include "proxy/reload.hpp"
#include "proxy/runtime/runtime.hpp"

namespace postern::proxy {
namespace {

constexpr std::string_view kModes[] = {"session", "transaction", "statement"};
constexpr std::string_view kDisabledReason = "disabled on the console";

std::vector<console::PoolRow> pools_of(Runtime& runtime) {
  std::vector<console::PoolRow> rows;
  for (const PoolStats& pool : runtime.broker.stats()) {
    console::PoolRow row;
    row.node = pool.key.node;
    row.database = pool.key.database;
    row.user = pool.key.user;
    if (const Database* database = runtime.databases.find(pool.key.database)) {
      row.mode = kModes[static_cast<std::size_t>(database->options().pool_mode)];
    }
    row.size = pool.size;
    row.cl_active = pool.cl_active;
    row.cl_waiting = pool.waiting;
    row.sv_active = pool.sv_active;
    row.sv_idle = pool.sv_idle;
    row.sv_used = pool.sv_used;
    row.sv_login = pool.sv_login;
    row.maxwait_us = static_cast<std::int64_t>(pool.maxwait_us);
    rows.push_back(std::move(row));
  }
  return rows;
}

std::int64_t unix_micros(SteadyTime when) {
  using std::chrono::duration_cast;
  using std::chrono::microseconds;
  const auto ago = SteadyClock::now() - when;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return duration_cast<microseconds>(now - ago).count();
}

std::vector<console::SocketRow> servers_of(const Runtime& runtime) {
  std::vector<console::SocketRow> rows;
  for (const ServerInfo& server : runtime.broker.servers()) {
    console::SocketRow row;
    row.server = true;
    row.user = server.key.user;
    row.database = server.key.database;
    row.busy = server.state == ServerState::kActive;
    row.state = row.busy ? "active" : "idle";
    row.address = server.key.node;
    row.connected_us = unix_micros(server.connected);
    row.request_us = unix_micros(server.requested);
    row.id = server.session != 0 ? server.session : server.id;
    row.remote_pid = server.backend_pid;
    row.tls = server.tls ? "TLS" : "";
    row.application = server.application;
    row.close_needed = server.close_needed;
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

Task<Result<std::vector<std::string>>> reload(Runtime* runtime, Worker* worker) {
  const auto report = co_await runtime->reloader->reload_from(worker);
  if (!report->applied()) co_return report->errors.front();
  co_return report->lines();
}

Status pause(Broker& broker, const std::string& database) {
  if (broker.is_paused(database)) return make_error(pst::kConsoleState, "already paused");
  broker.pause(database);
  return ok();
}

Status resume(Broker& broker, const std::string& database) {
  if (!broker.is_paused(database)) return make_error(pst::kConsoleState, "not paused");
  broker.resume(database);
  return ok();
}

console::Actions actions_of(Runtime* runtime) {
  Broker* broker = &runtime->broker;
  ClientRegistry* registry = &runtime->registry;
  console::Actions actions;
  actions.pause = [broker](const std::string& database) { return pause(*broker, database); };
  actions.resume = [broker](const std::string& database) { return resume(*broker, database); };
  actions.reconnect = [broker](const std::string& database) {
    broker->reconnect(std::string_view(database));
    return ok();
  };
  actions.kill = [broker, registry](const std::string& database) {
    broker->kill(database);
    registry->end(database);
    return ok();
  };
  actions.disable = [registry](const std::string& database) {
    registry->disable(database, std::string(kDisabledReason));
    return ok();
  };
  actions.enable = [registry](const std::string& database) {
    registry->enable(database);
    return ok();
  };
  actions.wait_paused = [broker](Worker* worker, std::string database,
                                 std::chrono::milliseconds timeout) {
    return broker->wait_paused(worker, std::move(database), timeout);
  };
  actions.wait_closed = [broker](Worker* worker, std::string database,
                                 std::chrono::milliseconds timeout) {
    return broker->wait_close(worker, std::move(database), timeout);
  };
  actions.reload = [runtime](Worker* worker) { return reload(runtime, worker); };
  actions.shutdown = shut_down;
  return actions;
}

}  // namespace

std::unique_ptr<console::Console> make_console(Runtime* runtime) {
  console::Sources sources;
  sources.pools = [runtime] { return pools_of(*runtime); };
  sources.servers = [runtime] { return servers_of(*runtime); };
  sources.is_paused = [runtime](const std::string& database) {
    return runtime->broker.is_paused(database);
  };
  sources.is_disabled = [runtime](const std::string& database) {
    return runtime->registry.is_disabled(database);
  };
  return std::make_unique<console::Console>(runtime, actions_of(runtime), std::move(sources));
}

}  // namespace postern::proxy
