// Describe and Close.
#include <utility>

#include "protocol/extended.hpp"
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

}  // namespace

Task<Result<ItemResult>> run_describe(Session* session, const BatchItem* item) {
  const auto describe = protocol::Describe::decode(item->body());
  if (!describe) co_return describe.error();
  const bool of_statement = describe->target == Target::kStatement;
  Unit unit = unit_for(of_statement ? Request::kDescribeStatement : Request::kDescribePortal);
  const auto bound = of_statement ? session->portals.end() : session->portals.find(describe->name);
  const bool foretold = of_statement
                            ? in_doubt(*session, describe->name)
                            : bound != session->portals.end() && in_doubt(*session, *bound->second);
  if (foretold && heeds_names(*session)) {
    const Status known = co_await resolve_names(session);
    if (!known) co_return known.error();
  }
  if (of_statement) {
    unit.statement = find_statement(session, describe->name);
    if (unit.statement != nullptr) {
      follow_named(session, &unit.statement);
      const auto fresh = co_await refresh(session, &unit.statement);
      if (!fresh) co_return fresh.error();
      if (fresh->refusal) co_return *fresh;
      const Status prepared = ensure_prepared(session->active, unit.statement);
      if (!prepared) co_return prepared.error();
    } else {
      const Status barred = bar_foreign(session, describe->name);
      if (!barred) co_return barred.error();
    }
  } else if (const auto it = session->portals.find(describe->name); it != session->portals.end()) {
    unit.statement = it->second->statement;
    unit.fill = session->pending_fill;
  }
  const Status expected = send_describe(session, *item, std::move(unit));
  if (!expected) co_return expected.error();
  co_return sent();
}

Task<Result<ItemResult>> run_close(Session* session, const BatchItem* item) {
  const auto close = protocol::Close::decode(item->body());
  if (!close) co_return close.error();
  const bool of_statement = close->target == Target::kStatement;
  if (of_statement && session->pooled && in_doubt(*session, close->name)) {
    const Status known = co_await resolve_names(session);
    if (!known) co_return known.error();
  }
  ServerLink* link = session->active;
  const std::string name(close->name);
  Disposition disposition = Disposition::kForward;
  Unit unit = unit_for(Request::kClose);
  if (of_statement) {
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
  if (disposition == Disposition::kForward) link->out().add_view(item->whole);
  const Status expected = link->expect(std::move(unit), disposition);
  if (!expected) co_return expected.error();
  co_return sent();
}

}  // namespace postern::proxy
