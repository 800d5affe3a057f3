#include "proxy/session/names.hpp"

#include <utility>
#include <vector>

#include "base/codes/pool.hpp"
#include "proxy/session/analyse.hpp"
#include "proxy/session/batch_items.hpp"

namespace postern::proxy {
namespace {

using protocol::Request;
using Statement = std::shared_ptr<PreparedStatement>;

// As the server has it by its answers so far.
Statement confirmed(const Session& session, ByteView name) {
  const auto it = session.confirmed_statements.find(name);
  return it == session.confirmed_statements.end() ? nullptr : it->second;
}

// As it will be if all that was sent succeeds.
Statement current(const Session& session, ByteView name) {
  const auto it = session.statements.find(name);
  return it == session.statements.end() ? nullptr : it->second;
}

void set_current(Session* session, const std::string& name, const Statement& statement) {
  if (statement == nullptr) {
    session->statements.erase(name);
  } else {
    session->statements.insert_or_assign(name, statement);
  }
}

Statement end_of(const Session& session, ByteView name) {
  auto end = std::make_shared<PreparedStatement>();
  end->name = name;
  end->gone = true;
  end->sent_in = session.ready_sent;
  return end;
}

// A Query behind an open batch is skipped if something of that batch fails, and so are Queries
// behind it, up to the next Sync.
bool may_be_skipped(ServerLink* link) {
  bool may = link->queue().skipping();
  link->each_unit([&](const Unit& unit) {
    const bool batch = unit.request != Request::kQuery && unit.request != Request::kFunctionCall;
    if (batch) may = unit.request != Request::kSync;
  });
  return may;
}

void forget(Session* session, ServerLink* link, const std::string& name,
            const std::string& server_name) {
  const Statement known = confirmed(*session, name);
  if (known != nullptr && current(*session, name) == known) session->statements.erase(name);
  session->confirmed_statements.erase(name);
  link->forget_statement(server_name);
}

}  // namespace

Statement find_statement(Session* session, ByteView name) {
  const auto it = session->statements.find(name);
  return it == session->statements.end() || it->second->gone ? nullptr : it->second;
}

void expect_statement(Session* session, const Statement& statement) {
  statement->sent_in = session->ready_sent;
  session->statements.insert_or_assign(statement->name, statement);
}

Statement expect_end(Session* session, ByteView name) {
  const auto it = session->statements.find(name);
  if (it == session->statements.end()) {
    return session->sql_names.contains(name) ? end_of(*session, name) : nullptr;
  }
  it->second = end_of(*session, name);
  return it->second;
}

Statement expect_unnamed_end(Session* session, ServerLink* link) {
  link->end_statement("");
  Statement end = expect_end(session, "");
  if (end != nullptr) end->settled = !may_be_skipped(link);
  return end;
}

void replace_statement(Session* session, const Statement& old, const Statement& renewed) {
  renewed->sent_in = old->sent_in;
  renewed->settled = old->settled;
  // What is not answered yet stays under its name, for its answer to find it.
  if (!old->settled) return;
  session->statements.insert_or_assign(renewed->name, renewed);
  if (confirmed(*session, renewed->name) == old) {
    session->confirmed_statements.insert_or_assign(renewed->name, renewed);
  }
}

void settle_statement(Session* session, const Statement& statement, bool success) {
  const std::string& name = statement->name;
  const Statement before = confirmed(*session, name);
  const Statement now = current(*session, name);
  if (success) {
    statement->settled = true;
    session->confirmed_statements.insert_or_assign(name, statement);
    if (now == before) set_current(session, name, statement);
  } else if (now == statement) {
    set_current(session, name, before);
  }
}

void settle_end(Session* session, const Statement& end, bool success) {
  if (end == nullptr) return;
  if (success) {
    session->confirmed_statements.erase(end->name);
    session->sql_names.erase(end->name);
  }
  if (current(*session, end->name) == end) {
    set_current(session, end->name, confirmed(*session, end->name));
  }
}

void forget_statement(Session* session, ServerLink* link, const PreparedStatement& statement) {
  forget(session, link, statement.name, statement.server_name);
}

void forget_statements(Session* session, ServerLink* link) {
  std::vector<Statement> known;
  for (const auto& [name, statement] : session->confirmed_statements) {
    if (!name.empty()) known.push_back(statement);
  }
  for (const Statement& statement : known) forget_statement(session, link, *statement);
  link->forget_statements();
}

void expect_name_changes(Session* session, Execution& execution, const StateScan& scan) {
  if (!has(scan.hint, StateHint::kPrepared)) return;
  execution.changes_names = true;
  ++session->name_changes;
}

bool in_doubt(const Session& session, ByteView name) {
  if (!name.empty() && (session.name_changes > 0 || session.names_under_way)) return true;
  const auto it = session.statements.find(name);
  if (it == session.statements.end() || it->second->settled) return false;
  return it->second->sent_in != session.ready_sent;
}

bool in_doubt(const Session& session, const Portal& portal) {
  if (!portal.name.empty() && session.names_under_way) return true;
  return !portal.settled && portal.sent_in != session.ready_sent;
}

bool heeds_names(const Session& session) {
  return session.pooled || gated(session);
}

Task<Status> resolve_names(Session* session) {
  ServerLink* link = session->primary.get();
  if (link == nullptr || link->queue().empty()) co_return ok();
  // Where the client's Sync was taken already, an error of the batch skips nothing behind it.
  const protocol::SessionFsm before = session->fsm;
  const Status asked = send_flush(session);
  if (!asked) co_return asked.error();
  while (!link->broken && !link->queue().empty() && !link->queue().skipping() &&
         !link->queue().in_copy_in()) {
    const Status sent = co_await link->flush();
    if (!sent) co_return make_error(pst::kUpstreamLost);
    co_await link->drained.wait();
  }
  if (before.state() == protocol::SessionFsm::State::kIdle) session->fsm = before;
  if (link->queue().empty()) session->names_under_way = false;
  co_return ok();
}

}  // namespace postern::proxy
