#include <algorithm>
#include <exception>
#include <utility>

#include "base/codes/net.hpp"
#include "base/codes/pool.hpp"
#include "base/codes/session.hpp"
#include "base/codes/wire.hpp"
#include "protocol/error_message.hpp"
#include "protocol/simple.hpp"
#include "proxy/console/console.hpp"
#include "proxy/session/analyse.hpp"
#include "proxy/session/audit_trail.hpp"
#include "proxy/session/batch_items.hpp"
#include "proxy/session/clock.hpp"
#include "proxy/session/completion.hpp"
#include "proxy/session/copy_run.hpp"
#include "proxy/session/crowd.hpp"
#include "proxy/session/link.hpp"
#include "proxy/session/login.hpp"
#include "proxy/session/outdated.hpp"
#include "proxy/session/position.hpp"
#include "proxy/session/publish.hpp"
#include "proxy/session/query_path.hpp"
#include "proxy/session/refuse.hpp"
#include "proxy/session/replication.hpp"
#include "proxy/session/replies.hpp"
#include "proxy/session/retry.hpp"
#include "proxy/session/session.hpp"
#include "proxy/session/state_following.hpp"
#include "proxy/session/unread.hpp"
#include "proxy/sinks/log.hpp"

namespace postern::proxy {
namespace {

using protocol::Disposition;
using protocol::Frame;
using protocol::FrontendType;
using protocol::Header;
using protocol::Request;
using protocol::SessionFsm;

constexpr std::size_t kReadSize = 8192;
/// For the last bytes to a client whose session ends.
constexpr std::chrono::seconds kFarewellTime{5};
/// Read and forgotten of what such a client sent, so that the last bytes reach it.
constexpr std::size_t kFarewellBytes = 1024 * 1024;

Unit plain_unit(Request request) {
  Unit unit;
  unit.request = request;
  return unit;
}

// COPY data and its end go straight to the server that asked for them.
Status forward_copy(Session* session, const Frame& frame) {
  ServerLink* link = session->primary.get();
  if (link == nullptr) return ok();
  link->out().add_view(frame.whole);
  if (frame.frontend() == FrontendType::kCopyDone) {
    return link->expect(plain_unit(Request::kCopyDone), Disposition::kForward);
  }
  if (frame.frontend() == FrontendType::kCopyFail) {
    return link->expect(plain_unit(Request::kCopyFail), Disposition::kForward);
  }
  return ok();
}

// What was collected of a batch goes out before a message that does not belong to it.
Task<Status> leave_batch(Session* session) {
  if (!session->batch.empty()) {
    const Status sent = co_await run_batch(session, FrontendType::kExecute);
    if (!sent) co_return sent.error();
  }
  // Who waits for its answers would wait for ever: a server may keep them to the end of a batch.
  if (session->batch_sent && session->primary != nullptr) {
    const Status flushed = send_flush(session);
    if (!flushed) co_return flushed.error();
  }
  session->batch_sent = false;
  session->described_in_batch.clear();
  co_return ok();
}

bool in_batch(const Session& session) {
  return !session.batch.empty() || session.batch_sent || !session.described_in_batch.empty();
}

// A message that waits for the rest of its batch. False: take_frame() has to act.
bool collect(Session* session, const Frame& frame) {
  const FrontendType type = frame.frontend();
  session->statistics.message(type);
  switch (type) {
    case FrontendType::kParse:
    case FrontendType::kBind:
    case FrontendType::kDescribe:
    case FrontendType::kExecute:
    case FrontendType::kClose:
      session->batch.add(type, frame.whole);
      return !session->batch.full();
    default:
      return false;
  }
}

Prompt<Status> take_frame(Session* session, const Frame* frame);

Task<Status> take_behind_batch(Session* session, const Frame* frame) {
  const Status left = co_await leave_batch(session);
  if (!left) co_return left.error();
  co_return co_await take_frame(session, frame);
}

// One that collect() left.
Prompt<Status> take_frame(Session* session, const Frame* frame) {
  const FrontendType type = frame->frontend();
  const bool alone = type == FrontendType::kQuery || type == FrontendType::kFunctionCall;
  if (alone && in_batch(*session)) return take_behind_batch(session, frame);
  switch (type) {
    case FrontendType::kQuery: {
      const auto query = protocol::Query::decode(frame->body);
      if (!query) return query.error();
      return run_query(session, query->text);
    }
    case FrontendType::kParse:
    case FrontendType::kBind:
    case FrontendType::kDescribe:
    case FrontendType::kExecute:
    case FrontendType::kClose:
      return run_batch(session, FrontendType::kExecute);
    case FrontendType::kSync:
    case FrontendType::kFlush:
      return run_batch(session, type);
    case FrontendType::kFunctionCall:
      return run_function_call(session, frame);
    case FrontendType::kCopyData:
    case FrontendType::kCopyDone:
    case FrontendType::kCopyFail:
      if (takes_copy(*session)) return take_copy(session, frame);
      return forward_copy(session, *frame);
    default:
      return make_error(pst::kProtocolViolation, "message out of place");
  }
}

// Whether an answer still to come may begin a COPY: not behind an error, up to the next Sync.
bool copy_undecided(const Session& session, const ServerLink& link) {
  return session.fsm.state() != SessionFsm::State::kCopyIn && !link.broken &&
         !link.queue().empty() && !link.queue().skipping();
}

bool copies(FrontendType type) {
  return type == FrontendType::kCopyData || type == FrontendType::kCopyDone ||
         type == FrontendType::kCopyFail;
}

// COPY data may be sent without waiting for CopyInResponse. Whether it belongs to a COPY is known
// once the server has answered what went before.
Task<Status> know_copy_state(Session* session) {
  ServerLink* link = session->primary.get();
  // The COPY may be in the batch that is still held, and a server may keep its answers to itself.
  const auto state = session->fsm.state();
  if (state != SessionFsm::State::kCopyIn && state != SessionFsm::State::kSkip) {
    const Status flushed = co_await run_batch(session, FrontendType::kFlush);
    if (!flushed) co_return flushed.error();
    link = session->primary.get();
  }
  while (link != nullptr && copy_undecided(*session, *link)) {
    const Status sent = co_await link->flush();
    if (!sent) co_return make_error(pst::kUpstreamLost);
    co_await link->drained.wait();
  }
  co_return ok();
}

// A client that sends without end is not read on: as with a server, whose socket fills up.
bool is_crowded(const Session& session) {
  return session.primary != nullptr && session.primary->queue().size() >= kManyRequests;
}

Task<Status> await_room(Session* session) {
  ServerLink* link = session->primary.get();
  while (!link->broken && link->queue().size() > kFewRequests) {
    const Status sent = co_await link->flush();
    if (!sent) co_return make_error(pst::kUpstreamLost);
    co_await link->drained.wait();
  }
  co_return ok();
}

// Longer messages are refused, but where they need not be held whole.
Status check_length(Session* session, const Header& header) {
  const auto limit = session->config().limits.message_bytes.bytes;
  if (header.total() - 1 <= limit) return ok();
  return make_error(pst::kMessageTooLarge, std::to_string(header.total() - 1) + " bytes");
}

bool awaits_turn(const Session& session, FrontendType type) {
  return copies(type) || is_crowded(session);
}

// What has to be true before a message is looked at.
Task<Status> await_turn(Session* session, FrontendType type) {
  if (copies(type)) {
    const Status known = co_await know_copy_state(session);
    if (!known) co_return known.error();
  }
  if (is_crowded(*session)) co_return co_await await_room(session);
  co_return ok();
}

// What the client's unread bytes begin with.
struct Begun {
  Frame frame;  ///< whole, unless it passes in parts: then only its type is set
  Header header;
  bool in_parts = false;
  std::size_t need = 0;  ///< unread bytes without which it cannot be taken; 0: it can
};

Frame frame_of(const Session& session, const Header& header) {
  Frame frame;
  frame.type = header.type;
  frame.whole = session.input.unread().substr(0, header.total());
  frame.body = frame.whole.substr(header.size);
  return frame;
}

Result<Begun> next_message(Session* session) {
  Begun next;
  next.need = std::min(pass_long(session), kLongMessage);
  if (next.need > 0) return next;
  POSTERN_ASSIGN(const auto framed, session->framer.header(session->input.unread()));
  next.need = framed.need;
  if (!framed.complete()) return next;
  next.header = framed.item;
  next.in_parts = passes_in_parts(*session, next.header);
  if (!next.in_parts) POSTERN_TRY(check_length(session, next.header));
  const std::size_t wanted = next.in_parts ? kLongMessage : next.header.total();
  next.need = session->input.size() < wanted ? wanted : 0;
  if (next.need == 0 && !next.in_parts) next.frame = frame_of(*session, next.header);
  return next;
}

Task<Status> take_in_parts(Session* session, Header header) {
  if (static_cast<FrontendType>(header.type) == FrontendType::kQuery) {
    const Status left = co_await leave_batch(session);
    if (!left) co_return left.error();
  }
  co_return co_await take_long(session, header);
}

Prompt<Status> take_now(Session* session, const Begun* message) {
  const Header& header = message->header;
  const auto verdict = session->fsm.on_frontend(static_cast<FrontendType>(header.type));
  if (!verdict) return verdict.error();
  switch (*verdict) {
    case SessionFsm::Verdict::kTerminate:
      session->ending = true;
      session->said_goodbye = true;
      return ok();
    case SessionFsm::Verdict::kDiscard:
      if (message->in_parts) session->drop_left = header.total();
      return ok();
    default:
      break;
  }
  if (message->in_parts) return take_in_parts(session, header);
  if (collect(session, message->frame)) return ok();
  return take_frame(session, &message->frame);
}

Task<Status> take_in_turn(Session* session, const Begun* message) {
  const Status turn = co_await await_turn(session, static_cast<FrontendType>(message->header.type));
  if (!turn) co_return turn.error();
  co_return co_await take_now(session, message);
}

Prompt<Status> take_message(Session* session, const Begun* message) {
  if (awaits_turn(*session, static_cast<FrontendType>(message->header.type))) {
    return take_in_turn(session, message);
  }
  return take_now(session, message);
}

Prompt<Status> flush_server(Session* session) {
  if (session->primary == nullptr) return ok();
  return session->primary->flush();
}

void drop_flushed(Session* session) {
  for (BatchItems& items : session->unflushed) session->batch.reuse(std::move(items));
  session->unflushed.clear();
}

// Between two statements: has the session to end here?
Status may_stay(Session* session) {
  if (!session->runtime().stopping) return outdated(session);
  const auto now = SteadyClock::now();
  if (session->quiet_since == SteadyClock::time_point{}) session->quiet_since = now;
  const auto patience = session->config().listen.so_reuseport ? kPatience : SteadyClock::duration{};
  if (now - session->quiet_since < patience) return ok();
  return make_error(pst::kShuttingDown);
}

// Takes every complete message of the buffer, and what is here of a long one; writes what that
// made. Returns the unread bytes needed to go on.
Task<Result<std::size_t>> take_messages(Session* session) {
  std::size_t need = 0;
  while (!session->ending) {
    const auto next = next_message(session);
    if (!next) co_return next.error();
    need = next->need;
    if (need > 0) break;
    const Begun* message = &*next;
    const Status taken = co_await take_message(session, message);
    if (!taken) co_return taken.error();
    if (!message->in_parts) session->input.consume(message->header.total());
  }
  const Status sent = co_await flush_server(session);
  if (!sent) co_return make_error(pst::kUpstreamLost);
  drop_flushed(session);
  const Status flushed = co_await session->out.flush();
  if (!flushed) co_return flushed.error();
  co_return need;
}

// The client is waited for without a buffer.
void settle_down(Session* session) {
  session->input.trim();
  session->statistics.client_written(session->out.written());
  if (server_idle(*session) && session->fsm.state() == SessionFsm::State::kIdle) {
    session->statistics.quiet();
  }
}

void take_input(Session* session, std::size_t size) {
  if (size == 0) session->ending = true;
  session->quiet_since = {};
  session->input.commit(size);
  session->statistics.client_read(size);
}

// More from the client; `ending` is set at its end.
Task<Status> read_client(Session* session, std::size_t need) {
  const std::size_t have = session->input.size();
  const std::size_t missing = std::max(need > have ? need - have : 1, kReadSize);
  const Result<std::span<char>> room = session->input.reserve(missing);
  if (!room) co_return room.error();
  const Result<std::size_t> got = co_await session->client.read_some(room->data(), room->size());
  const bool interrupted =
      !got && got.error().code == pst::kTransportClosed && session->client.is_open();
  if (interrupted) co_return ok();
  if (!got) co_return got.error();
  take_input(session, *got);
  co_return ok();
}

// While the client is waited for, the session needs no server connection by itself.
void park(Session* session) {
  session->parked = true;
  clock_parked(session);
  offer_primary(session);
}

void resume(Session* session) {
  session->parked = false;
  clock_resumed(session);
}

// Something made the session look up from its wait.
bool looks_up(Session* session) {
  return session->ending || std::exchange(session->woken, false);
}

// The only coroutine of those above that is suspended while a client is waited for: its frame is
// what an idle session costs.
Task<Status> run(Session* session) {
  session->serving = true;
  session->quiet_since = {};
  // A reload during the login.
  Status status = outdated(session);
  while (status) {
    const auto need = co_await take_messages(session);
    if (!need) co_return need.error();
    if (session->ending) break;
    if (server_idle(*session)) status = may_stay(session);
    if (!status) break;
    park(session);
    // Before the buffer may be given back: its memory serves other sessions meanwhile.
    session->batch.detach();
    bool reads = true;
    if (session->input.empty()) {
      settle_down(session);
      Transport::Readable readable = session->client.readable();
      status = co_await readable;
      reads = status && !looks_up(session);
    }
    if (reads) status = co_await read_client(session, *need);
    resume(session);
    if (status && session->timed_out) status = make_error(*session->timed_out);
    if (status && session->retry.due) status = co_await run_again(session);
  }
  co_return status;
}

bool client_gone(const Error& error) {
  return error.code == pst::kTransportClosed || error.code == pst::kTransportBroken ||
         error.code == pst::kTlsTruncated;
}

// The client hears why, as a server would say it; then the connection ends.
Task<void> say_farewell(Session* session, const Error* error) {
  if (session->ending || client_gone(*error) || amid_message(*session)) co_return;
  session->ending = true;
  log_failure("session_failed", *error,
              {{"session", session->id}, {"user", session->identity.login}});
  protocol::append_error(session->out.pending().own(), *error, protocol::Report::kFatal);
  (void)co_await session->out.flush();
}

// Where connections come faster than they log in, nothing at all is spent on some.
Task<LoginOutcome> admit(Session* session) {
  if (!is_flooded(*session)) co_return co_await log_in(session);
  note_crowd(session, make_error(pst::kTooManyLogins));
  session->client.close();
  co_return LoginOutcome::kClosed;
}

// Serves until the session ends, however it ends. Memory exhausted, or a defect: this session ends,
// and what it held is given back.
Task<LoginOutcome> serve_guarded(Session* session) {
  try {
    const LoginOutcome outcome = co_await admit(session);
    if (outcome == LoginOutcome::kClosed) co_return outcome;
    if (outcome == LoginOutcome::kReplication) {
      co_await relay_replication(session);
      co_return outcome;
    }
    Status ended = ok();
    if (session->on_console) {
      ended = co_await console::serve(session);
    } else {
      ended = co_await run(session);
    }
    if (!ended) co_await say_farewell(session, &ended.error());
    co_return outcome;
  } catch (const std::exception& defect) {
    log_error("session_defect", {{"session", session->id}, {"error", defect.what()}});
  }
  if (session->primary != nullptr) session->primary->broken = true;
  session->client.close();
  co_return LoginOutcome::kClosed;
}

// Null where the system refuses.
SessionPtr open_session(WorkerContext* context, UnboundTransport unbound, LoadTicket load) {
  auto adopted = Transport::adopt(context->worker->executor(), std::move(unbound));
  if (!adopted) return nullptr;
  return std::make_shared<Session>(context, std::move(*adopted), std::move(load));
}

Task<void> end_session(Session* session, LoginOutcome outcome) {
  session->ending = true;
  // A client that no longer reads must not keep its server connection for ever.
  session->deadline.arm(SteadyClock::now() + kFarewellTime);
  co_await detach_primary(session);
  if (session->replica != nullptr) {
    co_await release_link(session, std::move(session->replica));
  }
  if (outcome != LoginOutcome::kClosed) co_await record_end(session);
  if (session->client.is_open()) (void)co_await session->out.finish();
  // Who sent more than was read has to hear why, too.
  const bool unheard = session->client.is_open() && !session->said_goodbye;
  if (unheard) (void)co_await session->client.drop_input(kFarewellBytes);
  session->client.close();
}

}  // namespace

Task<void> serve_client(WorkerContext* context, UnboundTransport unbound, LoadTicket load) {
  const SessionPtr session = open_session(context, std::move(unbound), std::move(load));
  if (session == nullptr) co_return;
  const LoginOutcome outcome = co_await serve_guarded(session.get());
  co_await end_session(session.get(), outcome);
}

}  // namespace postern::proxy
