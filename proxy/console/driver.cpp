// A console session: login's last steps, then messages until the client leaves.
#include <algorithm>
#include <utility>

#include "base/codes/net.hpp"
#include "base/codes/pool.hpp"
#include "base/codes/session.hpp"
#include "protocol/error_message.hpp"
#include "protocol/rows.hpp"
#include "protocol/session_setup.hpp"
#include "proxy/console/console.hpp"
#include "proxy/console/engine.hpp"
#include "proxy/console/execute.hpp"
#include "proxy/session/session.hpp"
#include "proxy/sinks/log.hpp"

namespace postern::proxy::console {
namespace {

constexpr std::size_t kReadSize = 8192;
/// Secret bytes of the cancel key by protocol minor version.
constexpr std::size_t kShortKey = 4;
constexpr std::size_t kLongKey = 32;

Role present_role(Session* session) {
  const config::AdminOptions& admin = session->config().admin;
  return role_of(session->identity.login, admin.admin_users, admin.stats_users);
}

Status append_parameters(Session* session, Bytes& out) {
  constexpr std::string_view kReported[] = {
      "client_encoding",  "DateStyle",      "integer_datetimes",           "IntervalStyle",
      "server_encoding",  "server_version", "standard_conforming_strings", "TimeZone",
      "application_name",
  };
  for (const std::string_view name : kReported) {
    const bool own = name == "application_name";
    const std::string_view value = own ? session->identity.application : setting_value(name);
    POSTERN_TRY((protocol::ParameterStatus{name, value}.encode(out)));
  }
  return protocol::ParameterStatus{"session_authorization", session->identity.login}.encode(out);
}

void tell_denied(Session* session, Engine& engine) {
  const auto verb = engine.take_denied();
  if (!verb) return;
  session->runtime().metrics.refusals.add(pst::kConsoleRights);
  log_warning("console_denied", {{"user", session->identity.login},
                                 {"client", session->identity.address},
                                 {"command", row_of(*verb).words}});
}

// One message and the commands it holds.
Task<Status> take_frame(Session* session, Engine* engine, const protocol::Frame* frame) {
  engine->set_role(present_role(session));
  Result<std::optional<Command>> next = engine->take(*frame, session->out.pending().own());
  tell_denied(session, *engine);
  while (next && next->has_value()) {
    const Command command = **next;
    const Command* running = &command;
    Result<Reply> reply = co_await execute(session, running);
    next = engine->answer(std::move(reply), session->out.pending().own());
    tell_denied(session, *engine);
  }
  if (!next) co_return next.error();
  if (engine->ended()) session->ending = true;
  co_return ok();
}

Task<Result<std::size_t>> take_messages(Session* session, Engine* engine) {
  while (!session->ending) {
    const auto framed = session->framer.next(session->input.unread());
    if (!framed) co_return framed.error();
    if (!framed->complete()) co_return framed->need;
    const protocol::Frame frame = framed->item;
    const protocol::Frame* current = &frame;
    const Status taken = co_await take_frame(session, engine, current);
    if (!taken) co_return taken.error();
    session->input.consume(frame.whole.size());
  }
  co_return std::size_t{0};
}

Task<Status> read_client(Session* session, std::size_t need) {
  if (session->input.empty()) {
    session->statistics.client_written(session->out.written());
    session->statistics.quiet();
    session->input.trim();
    const auto idle = session->config().limits.idle_timeout;
    if (idle.count() > 0) session->deadline.arm(SteadyClock::now() + idle);
    Transport::Readable readable = session->client.readable();
    const Status ready = co_await readable;
    session->deadline.disarm();
    if (!ready) co_return ready.error();
    if (session->ending || std::exchange(session->woken, false)) co_return ok();
  }
  const std::size_t have = session->input.size();
  const std::size_t missing = std::max(need > have ? need - have : 1, kReadSize);
  Result<std::span<char>> room = session->input.reserve(missing);
  if (!room) co_return room.error();
  char* into = room->data();
  const std::size_t size = room->size();
  const Result<std::size_t> got = co_await session->client.read_some(into, size);
  const bool interrupted =
      !got && got.error().code == pst::kTransportClosed && session->client.is_open();
  if (interrupted) co_return ok();
  if (!got) co_return got.error();
  if (*got == 0) session->ending = true;
  session->input.commit(*got);
  session->statistics.client_read(*got);
  co_return ok();
}

}  // namespace

Task<Status> welcome(Session* session, std::uint16_t minor) {
  if (present_role(session) == Role::kNone) co_return make_error(pst::kConsoleRefused);
  Runtime& runtime = session->runtime();
  const std::string database(config::kConsoleDatabase);
  session->statistics.open(session->context->book->traffic(database, session->identity.login),
                           nullptr, &runtime.metrics);
  Bytes& out = session->out.pending().own();
  const Status told = append_parameters(session, out);
  if (!told) co_return told.error();
  // A key, because drivers want one; there is nothing to cancel.
  const CancelKey key =
      runtime.cancels.add(session->worker(), 0, minor >= 2 ? kLongKey : kShortKey, [] {});
  session->cancel_id = key.registration;
  const Status encoded = protocol::BackendKeyData{key.process_id, key.secret}.encode(out);
  if (!encoded) co_return encoded.error();
  protocol::ReadyForQuery{protocol::TransactionStatus::kIdle}.encode(out);
  co_return co_await session->out.flush();
}

Task<Status> serve(Session* session) {
  session->serving = true;
  Engine engine(present_role(session));
  while (!session->ending) {
    const auto need = co_await take_messages(session, &engine);
    const Status flushed = co_await session->out.flush();
    if (!need) co_return need.error();
    if (!flushed) co_return flushed.error();
    if (session->ending) break;
    if (session->runtime().stopping) co_return make_error(pst::kShuttingDown);
    const Status read = co_await read_client(session, *need);
    if (!read) co_return read.error();
  }
  co_return ok();
}

}  // namespace postern::proxy::console
