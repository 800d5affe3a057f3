#include "proxy/session/settling.hpp"

#include <algorithm>
#include <utility>

#include "base/codes/pool.hpp"
#include "base/codes/session.hpp"
#include "protocol/extended.hpp"
#include "protocol/session_setup.hpp"
#include "proxy/session/items.hpp"
#include "proxy/session/link.hpp"
#include "proxy/session/names.hpp"

namespace postern::proxy {
namespace {

using protocol::Disposition;
using protocol::Request;

constexpr std::string_view kSearchPathSql = "SELECT pg_catalog.current_setting('search_path')";
constexpr std::string_view kQuestion = "postern.search_path";

// Under names of its own: the client's unnamed statement and portal stay. What an attempt that
// failed left behind is closed first.
Status add_path_question(ServerLink* link, Internal internal) {
  using protocol::Target;
  Bytes& out = link->out().own();
  protocol::Bind bind;
  bind.portal = kQuestion;
  bind.statement = kQuestion;
  POSTERN_TRY((protocol::Close{Target::kStatement, kQuestion}.encode(out)));
  POSTERN_TRY((protocol::Parse{kQuestion, kSearchPathSql, {}}.encode(out)));
  POSTERN_TRY(bind.encode(out));
  POSTERN_TRY((protocol::Execute{kQuestion, 0}.encode(out)));
  POSTERN_TRY((protocol::Close{Target::kPortal, kQuestion}.encode(out)));
  POSTERN_TRY((protocol::Close{Target::kStatement, kQuestion}.encode(out)));
  for (const Request request : {Request::kClose, Request::kParse, Request::kBind, Request::kExecute,
                                Request::kClose, Request::kClose}) {
    POSTERN_TRY(link->expect(unit_for(request, internal), Disposition::kSwallow));
  }
  return ok();
}

Status send_path_question(ServerLink* link) {
  POSTERN_TRY(add_path_question(link, Internal::kSearchPath));
  protocol::Sync{}.encode(link->out().own());
  return link->expect(unit_for(Request::kSync, Internal::kSearchPath), Disposition::kSwallow);
}

}  // namespace

Task<Status> drain_primary(Session* session) {
  ServerLink* link = session->primary.get();
  while (!link->queue().empty() && !link->broken) {
    const Status flushed = co_await link->flush();
    if (!flushed) co_return flushed.error();
    co_await link->drained.wait();
  }
  if (session->failure) co_return *session->failure;
  if (link->broken) co_return make_error(pst::kUpstreamLost);
  co_return ok();
}

void heed_unseen(Session* session, ByteView text) {
  if (!session->unseen_under_way) return;
  if (session->primary == nullptr || session->primary->queue().empty()) {
    session->unseen_under_way = false;
    return;
  }
  const bool differs = std::any_of(text.begin(), text.end(), [](char c) {
    return c == '\\' || static_cast<unsigned char>(c) >= 0x80;
  });
  session->effect_under_way = session->effect_under_way || differs;
}

bool must_settle(const Session& session) {
  if (session.primary == nullptr) return false;
  return session.state.asked() || (session.database->protection() != nullptr &&
                                   (session.effect_under_way || session.path_due));
}

namespace {

Task<Status> answers_in_batch(Session* session) {
  const Status answered = co_await resolve_names(session);
  if (!answered) co_return answered.error();
  if (session->failure) co_return *session->failure;
  if (session->primary->broken) co_return make_error(pst::kUpstreamLost);
  co_return ok();
}

}  // namespace

Task<Status> settle_in_batch(Session* session) {
  ServerLink* link = session->primary.get();
  session->effect_under_way = false;
  session->unseen_under_way = false;
  const Status answered = co_await answers_in_batch(session);
  if (!answered) co_return answered.error();
  if (!session->path_due) co_return ok();
  session->search_path_known = false;
  // What follows is skipped, or ends a COPY: it is not known what it would mean.
  if (link->queue().skipping() || link->queue().in_copy_in()) co_return ok();
  session->path_due = false;
  session->path_asked = false;
  const Status added = add_path_question(link, Internal::kPathInBatch);
  if (!added) co_return added.error();
  co_return co_await answers_in_batch(session);
}

Status ask_path(Session* session) {
  if (!std::exchange(session->path_asked, false) || !session->path_due) return ok();
  ServerLink* link = session->primary.get();
  // Between its transactions a pooled session is asked for all of its state.
  const bool later = session->pooled && session->state.pins() == Pin::kNone &&
                     link->queue().transaction_status() == protocol::TransactionStatus::kIdle;
  if (later) return ok();
  session->path_due = false;
  session->effect_under_way = true;  // the next text waits for the answer
  return send_path_question(link);
}

Task<Status> settle_settings(Session* session) {
  ServerLink* link = session->primary.get();
  // What the session left behind decides what the next text means, and what it is prepared as.
  if (link != nullptr && session->state.asked()) {
    const Status drained = co_await drain_primary(session);
    if (!drained) co_return drained.error();
  }
  if (link == nullptr || session->database->protection() == nullptr) co_return ok();
  if (session->effect_under_way) {
    session->effect_under_way = false;
    session->unseen_under_way = false;
    const Status drained = co_await drain_primary(session);
    if (!drained) co_return drained.error();
  }
  if (!session->path_due) co_return ok();
  // A Query behind a batch without Sync is part of its transaction.
  if (link->queue().unsynced()) co_return co_await settle_in_batch(session);
  Status drained = co_await drain_primary(session);
  if (!drained) co_return drained.error();
  session->search_path_known = false;
  // In a failed transaction nothing can be asked, and nothing but its end will run either.
  if (link->queue().transaction_status() == protocol::TransactionStatus::kFailed) co_return ok();
  session->path_due = false;
  const Status expected = send_path_question(link);
  if (!expected) co_return expected.error();
  drained = co_await drain_primary(session);
  co_return drained;
}

namespace {

Task<Status> arm_drained(Session* session) {
  ServerLink* link = session->primary.get();
  // Arming needs to know that no transaction is open: what is under way is waited for.
  const Status drained = co_await drain_primary(session);
  if (!drained) co_return drained.error();
  if (!server_idle(*session)) {
    // Never inside a transaction; and never does one go on for somebody else.
    const bool other =
        link->context().issued != 0 && link->context().scope != session->identity.context_scope;
    if (other) co_return make_error(pst::kArmingFailed, "a transaction of another tenant is open");
    co_return ok();
  }
  co_return arm_link(session, link);
}

}  // namespace

Prompt<Status> arm_when_due(Session* session) {
  if (!arming_due(*session, *session->primary)) return ok();
  return arm_drained(session);
}

}  // namespace postern::proxy
