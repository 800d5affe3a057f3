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

}  // namespace

Task<Result<ItemResult>> run_item(Session* session, const BatchItem* item) {
  if (session->reading == nullptr) {
    const Status attached = co_await attach_primary(session);
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
  }
  switch (item->type) {
    case FrontendType::kParse:
      co_return co_await run_parse(session, item);
    case FrontendType::kBind:
      co_return co_await run_bind(session, item);
    case FrontendType::kDescribe:
      co_return co_await run_describe(session, item);
    case FrontendType::kClose:
      co_return co_await run_close(session, item);
    case FrontendType::kExecute:
      co_return co_await run_execute(session, item);
    default:
      co_return make_error(pst::kProtocolViolation, "not a message of a batch");
  }
}

Task<Status> end_batch(Session* session) {
  session->described_in_batch.clear();
  session->batch_sent = false;
  if (session->refused_locally) {
    session->refused_locally = false;
    session->retry = {};
    protocol::ReadyForQuery{protocol::TransactionStatus::kIdle}.encode(
        session->out.pending().own());
    co_return ok();
  }
  // A Sync by itself needs no server.
  if (session->pooled && session->primary == nullptr) {
    protocol::ReadyForQuery{protocol::TransactionStatus::kIdle}.encode(
        session->out.pending().own());
    co_return ok();
  }
  const Status attached = co_await attach_primary(session);
  if (!attached) co_return attached.error();
  ServerLink* link = session->primary.get();
  protocol::Sync{}.encode(link->out().own());
  Unit sync = unit_for(Request::kSync);
  sync.ready_number = ++session->ready_sent;
  await_retry(session, sync.ready_number);
  const Status expected = link->expect(std::move(sync), Disposition::kForward);
  if (!expected) co_return expected.error();
  const Status asked = ask_position(session);
  if (!asked) co_return asked.error();
  co_return ask_path(session);
}

Status send_flush(Session* session) {
  ServerLink* link = session->primary.get();
  protocol::Flush{}.encode(link->out().own());
  POSTERN_TRY(link->expect(unit_for(Request::kFlush), Disposition::kForward));
  // The server may have nothing to say where all replies are made here.
  return link->held ? ok() : take_completions(session, link);
}

}  // namespace postern::proxy
