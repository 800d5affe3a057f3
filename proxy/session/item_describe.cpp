// Describe and Close.
#include <utility>

#include "protocol/extended.hpp"
#include "proxy/session/analyse.hpp"
#include "proxy/session/items.hpp"
#include "proxy/session/statement_names.hpp"

namespace postern::proxy {
namespace {

using protocol::Disposition;
using protocol::Request;
using protocol::Target;

Status send_describe(Session* session, const BatchItem& item, Unit unit) {
  ServerLink* link = session->active;
  const PreparedStatement* statement = unit.statement.get();
  const bool renamed = unit.request == Request::kDescribeStatement && statement != nullptr &&
                       statement->server_name != statement->name;
  if (statement != nullptr) session->described_in_batch.push_back(statement->id);
  if (renamed) {
    const protocol::Describe describe{Target::kStatement, statement->server_name};
    POSTERN_TRY(describe.encode(link->out().own()));
  } else {
    link->out().add_view(item.whole);
  }
  return link->expect(std::move(unit), Disposition::kForward);
}

// The server's connection loses it, too, but for names under transaction pooling, which serve
// others.
void end_statement(Session* session, const std::string& name) {
  ServerLink* link = session->active;
  if (!session->pooled || name.empty()) link->end_statement(name);
  if (session->pooled) return;
  if (session->replica == nullptr || session->replica.get() == link) return;
  // The kept replica still has it; the next use there begins with a Close.
  session->replica->distrust(name);
}

// A statement, or none: the server knows.
Result<ItemResult> describe_statement(Session* session, const BatchItem& item, ByteView name,
                                      std::shared_ptr<PreparedStatement> statement) {
  if (statement != nullptr) {
    POSTERN_TRY(ensure_prepared(session, session->active, statement));
  } else {
    POSTERN_TRY(bar_foreign(session, name));
  }
  Unit unit = unit_for(Request::kDescribeStatement);
  unit.statement = std::move(statement);
  POSTERN_TRY(send_describe(session, item, std::move(unit)));
  return sent();
}

Result<ItemResult> describe_portal(Session* session, const BatchItem& item, ByteView name) {
  Unit unit = unit_for(Request::kDescribePortal);
  if (const auto it = session->portals.find(name); it != session->portals.end()) {
    unit.statement = it->second->statement;
    unit.fill = session->pending_fill;
  }
  POSTERN_TRY(send_describe(session, item, std::move(unit)));
  return sent();
}

bool is_in_doubt(const Session& session, const protocol::Describe& describe) {
  if (describe.target == Target::kStatement) {
    return in_doubt(session, describe.name) && heeds_names(session);
  }
  const auto bound = session.portals.find(describe.name);
  return bound != session.portals.end() && in_doubt(session, *bound->second) &&
         heeds_names(session);
}

// What the name stands for, or the text means, has to be found out first.
Task<Result<ItemResult>> describe_when_known(Session* session, const BatchItem* item) {
  const auto describe = protocol::Describe::decode(item->body());
  if (!describe) co_return describe.error();
  if (is_in_doubt(*session, *describe)) {
    const Status known = co_await resolve_names(session);
    if (!known) co_return known.error();
  }
  if (describe->target != Target::kStatement) {
    co_return describe_portal(session, *item, describe->name);
  }
  auto statement = find_statement(session, describe->name);
  if (statement != nullptr) {
    follow_named(session, &statement);
    const auto fresh = co_await refresh(session, &statement);
    if (!fresh) co_return fresh.error();
    if (fresh->refusal) co_return *fresh;
  }
  co_return describe_statement(session, *item, describe->name, std::move(statement));
}

Result<ItemResult> close(Session* session, const BatchItem& item, const protocol::Close& close) {
  ServerLink* link = session->active;
  const std::string name(close.name);
  Disposition disposition = Disposition::kForward;
  Unit unit = unit_for(Request::kClose);
  if (close.target == Target::kStatement) {
    // Under transaction pooling the server's statement serves other clients too. A name Postern
    // does not know may be one of SQL PREPARE.
    const bool shared =
        session->pooled && !name.empty() && find_statement(session, name) != nullptr;
    if (shared) disposition = Disposition::kSynthesise;
    end_statement(session, name);
    unit.statement = expect_end(session, name);
  } else {
    session->portals.erase(name);
    session->confirmed_portals.erase(name);
  }
  if (disposition == Disposition::kForward) link->out().add_view(item.whole);
  POSTERN_TRY(link->expect(std::move(unit), disposition));
  return sent();
}

Task<Result<ItemResult>> close_when_known(Session* session, const BatchItem* item) {
  const auto decoded = protocol::Close::decode(item->body());
  if (!decoded) co_return decoded.error();
  const Status known = co_await resolve_names(session);
  if (!known) co_return known.error();
  co_return close(session, *item, *decoded);
}

}  // namespace

Prompt<Result<ItemResult>> run_describe(Session* session, const BatchItem* item) {
  const auto describe = protocol::Describe::decode(item->body());
  if (!describe) return describe.error();
  if (is_in_doubt(*session, *describe)) return describe_when_known(session, item);
  if (describe->target != Target::kStatement) {
    return describe_portal(session, *item, describe->name);
  }
  auto statement = find_statement(session, describe->name);
  const bool doubtful = statement != nullptr &&
                        (statement->names_another || means_other(*session, *statement->analysed));
  if (doubtful) return describe_when_known(session, item);
  return describe_statement(session, *item, describe->name, std::move(statement));
}

Prompt<Result<ItemResult>> run_close(Session* session, const BatchItem* item) {
  const auto decoded = protocol::Close::decode(item->body());
  if (!decoded) return decoded.error();
  const bool doubtful =
      decoded->target == Target::kStatement && session->pooled && in_doubt(*session, decoded->name);
  if (doubtful) return close_when_known(session, item);
  return close(session, *item, *decoded);
}

}  // namespace postern::proxy
