#include "proxy/session/batch_items.hpp"

#include <utility>

#include "base/codes/pool.hpp"
#include "base/codes/session.hpp"
#include "base/codes/wire.hpp"
#include "protocol/extended.hpp"
#include "protocol/rows.hpp"
#include "proxy/session/items.hpp"
#include "proxy/session/link.hpp"
#include "proxy/session/passing.hpp"
#include "proxy/session/position.hpp"
#include "proxy/session/retry.hpp"
#include "proxy/session/settling.hpp"

namespace postern::proxy {

using protocol::Disposition;
using protocol::FrontendType;
using protocol::Request;

namespace {

// Within a batch no context is set: the connection has to have the one that is wanted.
bool acts_for_another(const Session& session, const ServerLink& link) {
  const auto protection = session.database->protection();
  const bool walled = protection != nullptr && protection->is_protected;
  return walled && link.context().issued != 0 &&
         link.context().scope != session.identity.context_scope;
}

// What a text means is decided at its Parse, and again at Bind; there values are read, too.
bool depends_on_settings(FrontendType type) {
  return type == FrontendType::kParse || type == FrontendType::kBind;
}

// The connection has to be seen to before this message may follow those before it.
bool wants_care(const Session& session, const BatchItem& item) {
  if (!session.batch_sent) return arming_due(session, *session.primary);
  if (acts_for_another(session, *session.primary)) return true;
  return depends_on_settings(item.type) && (session.unseen_under_way || must_settle(session));
}

Prompt<Result<ItemResult>> run_by_kind(Session* session, const BatchItem* item) {
  switch (item->type) {
    case FrontendType::kParse:
      return run_parse(session, item);
    case FrontendType::kBind:
      return run_bind(session, item);
    case FrontendType::kDescribe:
      return run_describe(session, item);
    case FrontendType::kClose:
      return run_close(session, item);
    case FrontendType::kExecute:
      return run_execute(session, item);
    default:
      return make_error(pst::kProtocolViolation, "not a message of a batch");
  }
}

Task<Result<ItemResult>> run_with_care(Session* session, const BatchItem* item,
                                       Prompt<Status> attaching) {
  const Status attached = co_await std::move(attaching);
  if (!attached && attached.error().code == pst::kStatementCancelled) {
    co_return refused(attached.error());
  }
  if (!attached) co_return attached.error();
  session->active = session->primary.get();
  if (!session->batch_sent) {
    const Status armed = co_await arm_when_due(session);
    if (!armed) co_return armed.error();
  }
  if (session->batch_sent && acts_for_another(*session, *session->primary)) {
    co_return make_error(pst::kArmingFailed, "its batch began for somebody else");
  }
  if (session->batch_sent && depends_on_settings(item->type)) {
    if (item->type == FrontendType::kParse) heed_unseen(session, item->body());
    if (must_settle(*session)) {
      const Status settled = co_await settle_in_batch(session);
      if (!settled) co_return settled.error();
    }
  }
  co_return co_await run_by_kind(session, item);
}

Status send_sync(Session* session) {
  ServerLink* link = session->primary.get();
  protocol::Sync{}.encode(link->out().own());
  Unit sync = unit_for(Request::kSync);
  sync.ready_number = ++session->ready_sent;
  await_retry(session, sync.ready_number);
  POSTERN_TRY(link->expect(std::move(sync), Disposition::kForward));
  POSTERN_TRY(ask_position(session));
  return ask_path(session);
}

Task<Status> sync_when_attached(Session* session, Prompt<Status> attaching) {
  Status attached = co_await std::move(attaching);
  // A cancel request that comes while it waits is for none of its statements: they have been
  // answered, or it would have gone to the server. A Sync itself is nothing to cancel.
  while (!attached && attached.error().code == pst::kStatementCancelled) {
    Prompt<Status> again = attach_primary(session);
    attached = co_await std::move(again);
  }
  if (!attached) co_return attached.error();
  co_return send_sync(session);
}

}  // namespace

Prompt<Result<ItemResult>> run_item(Session* session, const BatchItem* item) {
  if (session->reading != nullptr) return run_by_kind(session, item);
  Prompt<Status> attaching = attach_primary(session);
  const Status* attached = attaching.result();
  const bool at_once = attached != nullptr && *attached && !wants_care(*session, *item);
  if (!at_once) return run_with_care(session, item, std::move(attaching));
  session->active = session->primary.get();
  return run_by_kind(session, item);
}

Prompt<Status> end_batch(Session* session) {
  session->described_in_batch.clear();
  session->batch_sent = false;
  // A Sync by itself needs no server.
  const bool answered_here =
      session->refused_locally || (session->pooled && session->primary == nullptr);
  if (answered_here) {
    if (std::exchange(session->refused_locally, false)) session->retry = {};
    protocol::ReadyForQuery{protocol::TransactionStatus::kIdle}.encode(
        session->out.pending().own());
    return ok();
  }
  Prompt<Status> attaching = attach_primary(session);
  const Status* attached = attaching.result();
  if (attached == nullptr || !*attached) return sync_when_attached(session, std::move(attaching));
  return send_sync(session);
}

Status send_flush(Session* session) {
  ServerLink* link = session->primary.get();
  protocol::Flush{}.encode(link->out().own());
  POSTERN_TRY(link->expect(unit_for(Request::kFlush), Disposition::kForward));
  // The server may have nothing to say where all replies are made here.
  return link->held ? ok() : take_completions(session, link);
}

}  // namespace postern::proxy
