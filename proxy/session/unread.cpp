#include "proxy/session/unread.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "base/codes/pool.hpp"
#include "base/codes/session.hpp"
#include "base/codes/wire.hpp"
#include "proxy/session/analyse.hpp"
#include "proxy/session/audit_trail.hpp"
#include "proxy/session/clock.hpp"
#include "proxy/session/copy_run.hpp"
#include "proxy/session/items.hpp"
#include "proxy/session/link.hpp"
#include "proxy/session/names.hpp"
#include "proxy/session/position.hpp"
#include "proxy/session/publish.hpp"
#include "proxy/session/query_path.hpp"
#include "proxy/session/refuse.hpp"
#include "proxy/session/settling.hpp"

namespace postern::proxy {
namespace {

using protocol::Disposition;
using protocol::Frame;
using protocol::FrontendType;
using protocol::Header;
using protocol::Request;
using protocol::SessionFsm;

// Connection and record of a request that nobody understands. A value is the refusal in its place.
Task<Result<std::optional<Error>>> clear_unread(Session* session, Execution* execution) {
  using Answer = std::optional<Error>;
  const Status attached = co_await attach_primary(session);
  if (!attached && attached.error().code == pst::kStatementCancelled) {
    co_return Answer(attached.error());
  }
  if (!attached) co_return attached.error();
  execution->analysed = std::make_shared<const AnalysedText>();
  execution->started = Clock::now();
  note_node(*session, *session->primary, execution);
  const Status opened = co_await open_intents(session, execution);
  if (!opened) co_return Answer(opened.error());
  co_await mark_writes(session, execution);
  note_writes(session, *execution);
  if (session->pooled) session->state.note_unseen();
  co_return Answer();
}

Status expect_unread(Session* session, Request request, std::shared_ptr<Execution> execution) {
  Unit unit = unit_for(request);
  unit.execution = std::move(execution);
  unit.ready_number = ++session->ready_sent;
  const bool query = request == Request::kQuery;
  if (query) unit.statement = expect_unnamed_end(session, session->primary.get());
  clock_request(session);
  return session->primary->expect(std::move(unit), Disposition::kForward);
}

void drop_long(Session* session, const Header& header) {
  session->drop_left = header.total();
}

Task<Status> take_long_query(Session* session, std::size_t total) {
  const Status settled = co_await settle_settings(session);
  if (!settled) co_return settled.error();
  session->runtime().metrics.statements.add();
  auto execution = std::make_shared<Execution>();
  Execution* known = execution.get();
  const auto cleared = co_await clear_unread(session, known);
  if (!cleared) co_return cleared.error();
  if (*cleared) {
    session->drop_left = total;
    co_return co_await refuse_query(session, **cleared, Recorded::kNo);
  }
  session->primary->up_left = total;
  session->runtime().metrics.routed_primary.add();
  co_return expect_unread(session, Request::kQuery, std::move(execution));
}

struct BindNames {
  ByteView portal;
  ByteView statement;
};

// The two names a Bind begins with. Views of the unread bytes.
Result<BindNames> names_of(ByteView unread) {
  const ByteView body = unread.substr(5);
  const std::size_t portal = body.find('\0');
  const std::size_t statement =
      portal == ByteView::npos ? ByteView::npos : body.find('\0', portal + 1);
  if (statement == ByteView::npos) return make_error(pst::kMessageTooLarge, "names of a Bind");
  return BindNames{body.substr(0, portal), body.substr(portal + 1, statement - portal - 1)};
}

// The head of the message under the server's name for the statement; its values follow in parts.
void send_head(Session* session, const BindNames& names, ByteView server_name, std::size_t total) {
  const std::size_t head = 5 + names.portal.size() + names.statement.size() + 2;
  const std::size_t length = total - 1 - names.statement.size() + server_name.size();
  Bytes& out = session->active->out().own();
  out.push_back(static_cast<char>(FrontendType::kBind));
  out.append(4, '\0');
  store_be32(out.data() + out.size() - 4, static_cast<std::uint32_t>(length));
  out.append(names.portal).push_back('\0');
  out.append(server_name).push_back('\0');
  session->input.consume(head);
  session->active->up_left = total - head;
}

// The values are not known: nothing of them, nor of the result formats behind them, may be needed.
Status bind_in_parts(Session* session, const BindNames& names, std::size_t total) {
  auto statement = find_statement(session, names.statement);
  Unit unit = unit_for(Request::kBind);
  std::string portal(names.portal);
  if (statement == nullptr) {
    session->portals.erase(portal);
    POSTERN_TRY(bar_foreign(session, names.statement));
  } else {
    POSTERN_TRY(ensure_prepared(session, session->active, statement));
    unit.bound = std::make_shared<Portal>(Portal{std::move(portal), statement, {}});
    unit.bound->sent_in = session->ready_sent;
    unit.statement = statement;
    session->portals.insert_or_assign(unit.bound->name, unit.bound);
  }
  const ByteView name = statement == nullptr ? names.statement : ByteView(statement->server_name);
  send_head(session, names, name, total);
  return session->active->expect(std::move(unit), Disposition::kForward);
}

Task<Status> take_long_bind(Session* session, Header header) {
  const Status before = co_await run_batch(session, FrontendType::kExecute);
  if (!before) co_return before.error();
  if (session->fsm.state() == SessionFsm::State::kSkip) {
    drop_long(session, header);
    co_return ok();
  }
  const Status attached = co_await attach_primary(session);
  if (!attached && attached.error().code == pst::kStatementCancelled) {
    drop_long(session, header);
    co_return refuse_in_batch(session, attached.error(), !session->batch_sent, false);
  }
  if (!attached) co_return attached.error();
  session->active = session->primary.get();
  session->batch_sent = true;
  const auto names = names_of(session->input.unread());
  if (!names) co_return names.error();
  if (session->pooled && in_doubt(*session, names->statement)) {
    const Status known = co_await resolve_names(session);
    if (!known) co_return known.error();
  }
  co_return bind_in_parts(session, *names, header.total());
}

}  // namespace

bool passes_in_parts(const Session& session, const Header& header) {
  if (header.total() <= kLongMessage) return false;
  const auto type = static_cast<FrontendType>(header.type);
  // Rows that Postern inserts itself are read whole.
  if (type == FrontendType::kCopyData) return !takes_copy(session);
  const bool values = type == FrontendType::kQuery || type == FrontendType::kBind;
  return values && session.choice == nullptr && session.database->protection() == nullptr;
}

Task<Status> take_long(Session* session, Header header) {
  const auto type = static_cast<FrontendType>(header.type);
  session->statistics.message(type);
  switch (type) {
    case FrontendType::kQuery:
      co_return co_await take_long_query(session, header.total());
    case FrontendType::kBind:
      co_return co_await take_long_bind(session, header);
    default:
      break;
  }
  if (session->primary == nullptr) {
    drop_long(session, header);
  } else {
    session->primary->up_left = header.total();
  }
  co_return ok();
}

std::size_t pass_long(Session* session) {
  ServerLink* link = session->primary.get();
  const bool sends = session->drop_left == 0 && link != nullptr;
  std::size_t& left = sends ? link->up_left : session->drop_left;
  const std::size_t size = std::min(left, session->input.size());
  if (size == 0) return left;
  if (sends) link->out().add_view(session->input.unread().substr(0, size));
  session->input.consume(size);
  left -= size;
  return left;
}

Task<Status> run_function_call(Session* session, const Frame* frame) {
  if (gated(*session)) {
    co_return co_await refuse_query(session, make_error(pst::kFastPathRefused), Recorded::kNo);
  }
  auto execution = std::make_shared<Execution>();
  Execution* known = execution.get();
  const auto cleared = co_await clear_unread(session, known);
  if (!cleared) co_return cleared.error();
  if (*cleared) co_return co_await refuse_query(session, **cleared, Recorded::kNo);
  session->primary->out().add_view(frame->whole);
  co_return expect_unread(session, Request::kFunctionCall, std::move(execution));
}

}  // namespace postern::proxy
