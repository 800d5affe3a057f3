#include "proxy/session/crowd.hpp"

#include "base/codes/pool.hpp"
#include "proxy/console/command.hpp"
#include "proxy/console/console.hpp"
#include "proxy/sinks/log.hpp"

namespace postern::proxy {
namespace {

/// Places on the console beyond limits.max_clients: what is wrong is looked for there.
constexpr std::int64_t kConsoleReserve = 10;

std::int64_t not_logged_in(const Session& session) {
  const Runtime& runtime = *session.context->runtime;
  return runtime.metrics.clients.value() - runtime.admitted.load(std::memory_order_relaxed);
}

const config::LimitsOptions& limits_of(const Session& session) {
  return session.context->runtime->config->limits;
}

}  // namespace

bool is_crowded_out(const Session& session) {
  return not_logged_in(session) > limits_of(session).max_logins;
}

bool is_flooded(const Session& session) {
  return not_logged_in(session) > 2 * std::int64_t{limits_of(session).max_logins};
}

Status check_crowd(const Session& session, const protocol::LoginRequest& request) {
  if (asks_for_console(session, request)) return ok();
  if (is_crowded_out(session)) return make_error(pst::kTooManyLogins);
  const bool full = session.context->runtime->admitted.load() >= limits_of(session).max_clients;
  return full ? Status(make_error(pst::kTooManyClients)) : ok();
}

Status take_place(Session* session, const protocol::LoginRequest& request) {
  const config::AdminOptions& admin = session->config().admin;
  const bool operates =
      asks_for_console(*session, request) &&
      console::role_of(request.user, admin.admin_users, admin.stats_users) != console::Role::kNone;
  const std::int64_t places = limits_of(*session).max_clients + (operates ? kConsoleReserve : 0);
  std::atomic<std::int64_t>& admitted = session->runtime().admitted;
  if (admitted.fetch_add(1) >= places) {
    admitted.fetch_sub(1);
    return make_error(pst::kTooManyClients);
  }
  session->admitted = true;
  return ok();
}

bool is_crowd(const Error& error) {
  return error.code == pst::kTooManyLogins || error.code == pst::kTooManyClients;
}

void note_crowd(Session* session, const Error& error) {
  Runtime& runtime = session->runtime();
  runtime.metrics.refusals.add(error.code);
  if (!runtime.crowd_log.allow(SteadyClock::now())) return;
  log_failure("client_refused", error,
              {{"client", session->client.peer()},
               {"user", session->identity.login},
               {"clients", runtime.admitted.load()},
               {"connections", runtime.metrics.clients.value()}});
}

bool asks_for_console(const Session& session, const protocol::LoginRequest& request) {
  return session.context->runtime->console != nullptr &&
         request.database == config::kConsoleDatabase;
}

}  // namespace postern::proxy
