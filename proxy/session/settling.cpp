#include "proxy/session/settling.hpp"

#include <algorithm>

#include "base/codes/pool.hpp"
#include "base/codes/session.hpp"
#include "protocol/simple.hpp"
#include "proxy/session/items.hpp"
#include "proxy/session/link.hpp"

namespace postern::proxy {
namespace {

using protocol::Disposition;
using protocol::Request;

constexpr std::string_view kSearchPathSql = "SELECT pg_catalog.current_setting('search_path')";

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
  return session.state.asked() ||
         (session.database->protection() != nullptr &&
          (session.effect_under_way || (session.path_due && !session.batch_sent)));
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
  const bool asks = session->path_due && !session->batch_sent;
  if (!asks) co_return ok();
  Status drained = co_await drain_primary(session);
  if (!drained) co_return drained.error();
  session->search_path_known = false;
  // In a failed transaction nothing can be asked, and nothing but its end will run either.
  if (link->queue().transaction_status() == protocol::TransactionStatus::kFailed) co_return ok();
  session->path_due = false;
  const Status encoded = protocol::Query{kSearchPathSql}.encode(link->out().own());
  if (!encoded) co_return encoded.error();
  const Status expected =
      link->expect(unit_for(Request::kQuery, Internal::kSearchPath), Disposition::kSwallow);
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
