#include "proxy/session/replies.hpp"

#include <algorithm>
#include <utility>

#include "base/codes/net.hpp"
#include "base/codes/pool.hpp"
#include "protocol/error_message.hpp"
#include "proxy/session/audit_trail.hpp"
#include "proxy/session/passing.hpp"
#include "proxy/session/publish.hpp"
#include "proxy/session/state_following.hpp"
#include "proxy/session/violations.hpp"
#include "proxy/sinks/log.hpp"

namespace postern::proxy {
namespace {

constexpr std::size_t kReadSize = 8192;

Status take_input(Session* session, ServerLink* link, const Result<std::size_t>& got) {
  const bool interrupted =
      !got && got.error().code == pst::kTransportClosed && link->transport().is_open();
  if (interrupted) return ok();  // to look whether to stop, or to let go
  if (!got || *got == 0) return make_error(pst::kUpstreamLost);
  link->input().commit(*got);
  session->statistics.server_read(*got);
  return ok();
}

Task<Status> await_input(Session* session, ServerLink* link, Prompt<Result<std::size_t>> reading) {
  const Result<std::size_t> got = co_await std::move(reading);
  co_return take_input(session, link, got);
}

// Reads once, for at least one more byte; more room where a long message is expected.
Prompt<Status> read_server(Session* session, ServerLink* link, std::size_t need) {
  const std::size_t have = link->input().size();
  const std::size_t missing = need > have ? need - have : 1;
  const Result<std::span<char>> room = link->input().reserve(std::max(missing, kReadSize));
  if (!room) return room.error();
  auto reading = link->transport().read_some(room->data(), room->size());
  if (const auto* got = reading.result()) return take_input(session, link, *got);
  return await_input(session, link, std::move(reading));
}

// Lets the pause's reason pass.
Task<Status> wait_out(Session* session, const Pause* pause) {
  switch (pause->kind) {
    case Pause::Kind::kAudit:
      co_return co_await wait_durable(session, pause->index);
    case Pause::Kind::kAuditRoom:
      co_await room_in_log(session);
      break;
    case Pause::Kind::kPublish:
      co_await publish_writes(session, pause->index);
      break;
    case Pause::Kind::kNeedInput:
      break;
  }
  co_return ok();
}

Task<Result<std::size_t>> pass_with_pauses(Session* session, ServerLink* link, Result<Pause> pause,
                                           Prompt<Status> flushing) {
  for (;;) {
    const Status flushed = co_await std::move(flushing);
    session->statistics.client_written(session->out.written());
    if (!pause) co_return pause.error();
    if (!flushed) co_return flushed.error();
    const Pause& why = *pause;
    if (why.kind == Pause::Kind::kNeedInput) co_return why.bytes;
    const Status again = co_await wait_out(session, &why);
    if (!again) co_return again.error();
    pause = pass_replies(session, link);
    flushing = session->out.flush();
  }
}

// Handles what is buffered and writes what is due. Returns the unread bytes needed to go on.
Prompt<Result<std::size_t>> pass_and_flush(Session* session, ServerLink* link) {
  Result<Pause> pause = pass_replies(session, link);
  Prompt<Status> flushing = session->out.flush();
  const Status* flushed = flushing.result();
  const bool goes_on = pause && pause->kind == Pause::Kind::kNeedInput && flushed && *flushed;
  if (!goes_on) return pass_with_pauses(session, link, std::move(pause), std::move(flushing));
  session->statistics.client_written(session->out.written());
  return pause->bytes;
}

// One round: everything buffered is handled, then more is read.
Task<Status> round(Session* session, ServerLink* link) {
  const Result<std::size_t> need = co_await pass_and_flush(session, link);
  if (!need) co_return need.error();
  if (link->queue().empty()) {
    link->drained.set();
    if (session->configured != &session->config()) look_up(session);
    if (link->stop_pump) co_return ok();
    if (link == session->primary.get() && may_let_go(*session)) co_return ok();
  }
  if (link->input().empty()) {
    link->input().trim();
    Transport::Readable readable = link->transport().readable();
    const Status ready = co_await readable;
    if (!ready) co_return make_error(pst::kUpstreamLost);
    if (link->stop_pump && link->queue().empty()) co_return ok();
    if (link == session->primary.get() && may_let_go(*session)) co_return ok();
  }
  co_return co_await read_server(session, link, *need);
}

// The server is gone or cannot be trusted: the client hears it, and the session ends.
Task<void> fail_session(Session* session, ServerLink* link, const Error* error) {
  link->broken = true;
  session->failure =
      std::make_unique<Error>(session->timed_out ? make_error(*session->timed_out) : *error);
  link->transport().close();
  tell_failure(session, *error);
  close_open_executions(session, link, *error);
  if (cuts_message(*link)) {
    session->ending = true;
    session->client.close();
  }
  if (!session->ending) {
    const Error& shown = *session->failure;
    log_failure("session_failed", shown,
                {{"session", session->id}, {"user", session->identity.login}});
    protocol::append_error(session->out.pending().own(), shown, protocol::Report::kFatal);
    (void)co_await session->out.flush();
  }
  session->ending = true;
  session->client.interrupt();
  link->drained.set();
}

Task<void> pump(SessionPtr session) {
  ServerLink* link = session->primary.get();
  link->pumping = true;
  for (;;) {
    Status status = co_await round(session.get(), link);
    if (status && may_let_go(*session)) {
      // Between transactions of a pooled session: what it left behind is asked for, or the
      // connection taken from it.
      const Result<bool> asked = ask_state(session.get(), link);
      if (asked && !*asked) {
        session->active = nullptr;
        std::unique_ptr<ServerLink> left = std::move(session->primary);
        while (left->cancels > 0) co_await left->cancels_done.wait();
        let_go(session.get(), std::move(left));
        co_return;
      }
      if (asked) {
        const Status sent = co_await link->flush();
        if (!sent) status = make_error(pst::kUpstreamLost);
      } else {
        status = asked.error();
      }
    }
    if (!status) {
      // Asked to stop, a read that was waiting for nothing in particular ends with an error too.
      const bool leaving = link->stop_pump && (link->broken || link->queue().empty());
      if (!leaving) co_await fail_session(session.get(), link, &status.error());
      break;
    }
    if (link->stop_pump && link->queue().empty()) break;
  }
  link->pumping = false;
  link->stopped.set();
}

}  // namespace

bool cuts_message(const ServerLink& link) {
  return link.stream_left > 0 && link.stream_forward;
}

bool amid_message(const Session& session) {
  const auto cut = [](const ServerLink* link) { return link != nullptr && cuts_message(*link); };
  return cut(session.primary.get()) || cut(session.replica.get());
}

void start_pump(SessionPtr session) {
  Worker* worker = session->worker();
  session->primary->pumping = true;
  worker->spawn(pump(std::move(session)));
}

Task<Status> drain_replies(Session* session, ServerLink* link) {
  link->stop_pump = true;
  while (!link->queue().empty()) {
    const Status status = co_await round(session, link);
    if (!status) {
      link->broken = true;
      co_return status.error();
    }
  }
  co_return ok();
}

}  // namespace postern::proxy
