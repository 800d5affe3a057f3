#include "proxy/session/refuse.hpp"

#include <utility>

#include "protocol/error_message.hpp"
#include "protocol/extended.hpp"
#include "protocol/rows.hpp"
#include "protocol/simple.hpp"
#include "proxy/session/audit_trail.hpp"

namespace postern::proxy {
namespace {

using protocol::Disposition;
using protocol::Request;

// A syntax error in every state of a session, also in a failed transaction.
constexpr std::string_view kAlwaysFails = "postern refused this statement";

Unit refusal_unit(Request request, const Error& error) {
  Unit unit;
  unit.request = request;
  unit.internal = Internal::kRefusal;
  unit.refusal = std::make_unique<const Error>(error);
  return unit;
}

}  // namespace

bool server_idle(const Session& session) {
  const ServerLink* link = session.primary.get();
  if (link == nullptr) return true;
  return link->queue().releasable();
}

Task<Status> refuse_query(Session* session, Error error, Recorded recorded) {
  if (recorded == Recorded::kNo) {
    auto unknown = std::make_shared<const AnalysedText>();
    const Status record = co_await record_refusal(session, std::move(unknown), error, false);
    if (!record) co_return record.error();
  }
  if (server_idle(*session)) {
    Bytes& out = session->out.pending().own();
    protocol::append_error(out, error);
    protocol::ReadyForQuery{protocol::TransactionStatus::kIdle}.encode(out);
    co_return ok();
  }
  ServerLink* link = session->primary.get();
  const Status encoded = protocol::Query{kAlwaysFails}.encode(link->out().own());
  if (!encoded) co_return encoded.error();
  Unit unit = refusal_unit(Request::kQuery, error);
  unit.ready_number = ++session->ready_sent;
  co_return link->expect(std::move(unit), Disposition::kForward);
}

Status refuse_in_batch(Session* session, const Error& error, bool untouched, bool synced) {
  if (!synced) session->fsm.on_error(true);
  if (untouched && server_idle(*session)) {
    protocol::append_error(session->out.pending().own(), error);
    session->refused_locally = true;
    return ok();
  }
  ServerLink* link = session->primary.get();
  const protocol::Parse parse{"", kAlwaysFails, {}};
  POSTERN_TRY(parse.encode(link->out().own()));
  link->forget("");
  return link->expect(refusal_unit(Request::kParse, error), Disposition::kForward);
}

}  // namespace postern::proxy
