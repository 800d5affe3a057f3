// Parse, and everything about a prepared statement being on the server when it is needed.
#include <algorithm>
#include <utility>

#include "base/codes/gate.hpp"
#include "base/codes/pool.hpp"
#include "base/codes/session.hpp"
#include "protocol/extended.hpp"
#include "proxy/session/analyse.hpp"
#include "proxy/session/copy_run.hpp"
#include "proxy/session/items.hpp"
#include "proxy/session/sealing.hpp"
#include "proxy/session/settling.hpp"
#include "proxy/session/statement_names.hpp"

namespace postern::proxy {
namespace {

using protocol::Disposition;
using protocol::Request;
using protocol::TransactionStatus;

Status encode_parse(ServerLink* link, const PreparedStatement& statement) {
  Bytes types;
  const protocol::Parse parse{statement.server_name, statement.server_text,
                              protocol::OidList::pack(statement.server_types, types)};
  return parse.encode(link->out().own());
}

// A name that stands for something else, or perhaps nothing, on this connection is freed.
Status close_stale(ServerLink* link, const std::string& name) {
  if (name.empty() || !link->prepared().contains(name)) return ok();
  const protocol::Close close{protocol::Target::kStatement, name};
  POSTERN_TRY(close.encode(link->out().own()));
  link->forget(name);
  return link->expect(unit_for(Request::kClose, Internal::kReparse), Disposition::kSwallow);
}

bool is_prepared(ServerLink* link, const PreparedStatement& statement) {
  const auto known = link->prepared().find(statement.server_name);
  return known != link->prepared().end() && known->second.id == statement.id;
}

// A plan made before a change of the schema may be refused, which of a text just sent no client
// expects.
void mark_outdated(const Session& session, ServerLink* link) {
  const std::uint64_t changes = session.database->schema_changes();
  if (std::exchange(link->facts().schema_seen, changes) == changes) return;
  for (auto& [name, known] : link->prepared()) known.outdated = true;
}

bool is_outdated(ServerLink* link, const PreparedStatement& statement) {
  const auto known = link->prepared().find(statement.server_name);
  return known != link->prepared().end() && known->second.outdated;
}

// Which of those of its name the client may use here: the one that the name stands for or, where it
// is not here and would be made under other settings now, one of the client's own.
void choose_id(Session* session, ServerLink* link, PreparedStatement& statement) {
  if (statement.planned_under == nullptr) return;
  const auto known = link->prepared().find(statement.server_name);
  const std::uint64_t here = known == link->prepared().end() ? kUnknownStatement : known->second.id;
  if (here == statement.shared_id || !is_made_differently(*session, statement)) {
    statement.id = statement.shared_id;
    return;
  }
  const PlanningKey now = session->state.altered() ? nullptr : session->state.planning_key();
  const bool same =
      now != nullptr && statement.own_under != nullptr && *statement.own_under == *now;
  const bool own_is_here = here != kUnknownStatement && here == statement.own_id;
  if (!same && !own_is_here) {
    statement.own_id = next_own_id(session);
    statement.own_under = now;
  }
  statement.id = statement.own_id;
}

// Under transaction pooling another client may have prepared the same text here already. In a
// failed transaction the server has to say itself that it takes nothing.
bool may_skip_parse(const Session& session, ServerLink* link, const PreparedStatement& statement) {
  return session.pooled && !statement.name.empty() && is_prepared(link, statement) &&
         !is_outdated(link, statement) && link->queue().empty() &&
         link->queue().transaction_status() != TransactionStatus::kFailed;
}

// The name is in use: the server says so, after all else that may be wrong with the text.
Status send_duplicate(Session* session, const std::shared_ptr<PreparedStatement>& known,
                      std::shared_ptr<PreparedStatement> statement) {
  ServerLink* link = session->active;
  POSTERN_TRY(ensure_prepared(session, link, known));
  statement->server_name = known->server_name;
  POSTERN_TRY(encode_parse(link, *statement));
  Unit unit = unit_for(Request::kParse);
  unit.statement = std::move(statement);
  return link->expect(std::move(unit), Disposition::kForward);
}

// The same of a name that SQL gave away.
Status send_under_sql_name(Session* session, std::shared_ptr<PreparedStatement> statement) {
  ServerLink* link = session->active;
  statement->server_name = statement->name;
  POSTERN_TRY(encode_parse(link, *statement));
  Unit unit = unit_for(Request::kParse);
  unit.statement = std::move(statement);
  return link->expect(std::move(unit), Disposition::kForward);
}

Status send_parse(Session* session, std::shared_ptr<PreparedStatement> statement) {
  ServerLink* link = session->active;
  const auto known = find_statement(session, statement->name);
  const bool in_use = session->pooled && !statement->name.empty() && known != nullptr;
  if (in_use) return send_duplicate(session, known, std::move(statement));
  const bool in_sql = session->pooled && session->sql_names.contains(statement->name);
  if (in_sql) return send_under_sql_name(session, std::move(statement));
  POSTERN_TRY(ensure_named(session, link, *statement));
  if (session->pooled) mark_outdated(*session, link);
  Disposition disposition = Disposition::kForward;
  if (may_skip_parse(*session, link, *statement)) {
    disposition = Disposition::kSynthesise;
  } else {
    // A kept replica may have the name from before; the primary says 42P05 by itself.
    const bool replaces = session->reading != nullptr || session->pooled;
    if (replaces) POSTERN_TRY(close_stale(link, statement->server_name));
    POSTERN_TRY(encode_parse(link, *statement));
  }
  link->remember(statement->server_name, statement->id);
  expect_statement(session, statement);
  Unit unit = unit_for(Request::kParse);
  unit.statement = std::move(statement);
  return link->expect(std::move(unit), disposition);
}

}  // namespace

Status ensure_named(Session* session, ServerLink* link, const PreparedStatement& statement) {
  if (statement.named == nullptr) return ok();
  statement.named->unprepared.clear();
  return ensure_prepared(session, link, statement.named);
}

Status ensure_prepared(Session* session, ServerLink* link,
                       const std::shared_ptr<PreparedStatement>& statement, Internal internal) {
  choose_id(session, link, *statement);
  if (is_prepared(link, *statement)) {
    link->remember(statement->server_name, statement->id);
    return ok();
  }
  POSTERN_TRY(close_stale(link, statement->server_name));
  POSTERN_TRY(encode_parse(link, *statement));
  link->remember(statement->server_name, statement->id);
  Unit unit = unit_for(Request::kParse, internal);
  unit.statement = statement;
  return link->expect(std::move(unit), Disposition::kSwallow);
}

Status bar_foreign(Session* session, ByteView name) {
  if (!session->pooled || !name.empty()) return ok();
  ServerLink* link = session->active;
  POSTERN_TRY((protocol::Close{protocol::Target::kStatement, ""}.encode(link->out().own())));
  link->forget("");
  return link->expect(unit_for(Request::kClose, Internal::kReparse), Disposition::kSwallow);
}

Task<Result<ItemResult>> refresh(Session* session, std::shared_ptr<PreparedStatement>* statement) {
  if (!means_other(*session, *(*statement)->analysed)) co_return sent();
  const auto& old = **statement;
  const auto analysed = co_await analyse(session, old.analysed->text);
  if (!analysed && ends_session(analysed.error())) co_return analysed.error();
  if (!analysed) co_return refused(analysed.error());
  auto renewed = std::make_shared<PreparedStatement>();
  renewed->name = old.name;
  renewed->analysed = text_of(*analysed, old.analysed->text);
  renewed->client_types = old.client_types;
  renewed->scan = old.scan;
  const auto refusal = co_await refusal_of(session, renewed->analysed);
  if (refusal) co_return refused(*refusal, Recorded::kYes);
  const Status hidden = hide_literals(renewed.get());
  if (!hidden) co_return refused(hidden.error());
  name_statement(session, renewed.get());
  renewed->held = std::move((*statement)->held);
  // What the server has stays as it is: its parameters keep the types it told.
  const bool same = old.name.empty() && renewed->server_text == old.server_text &&
                    renewed->server_types == old.server_types;
  if (session->pooled && same) renewed->id = old.id;
  replace_statement(session, *statement, renewed);
  *statement = std::move(renewed);
  co_return sent();
}

namespace {

// With this statement's own; a single one may be as long as a message.
bool fits_with_others(const Session& session, const PreparedStatement& statement) {
  const std::size_t held = session.statement_bytes != nullptr ? *session.statement_bytes : 0;
  return held <= session.context->runtime->config->limits.client_statement_bytes.bytes ||
         held == statement.analysed->text.size();
}

void hold_text(Session* session, PreparedStatement* statement) {
  if (session->statement_bytes == nullptr) {
    session->statement_bytes = std::make_shared<std::size_t>(0);
  }
  statement->held = HeldText(session->statement_bytes, statement->analysed->text.size());
}

}  // namespace

bool has_room_for_statement(const Session& session, const PreparedStatement& statement) {
  const std::string& name = statement.name;
  if (name.empty()) return true;
  if (!fits_with_others(session, statement)) return false;
  const auto& all = session.statements;
  const std::size_t limit = session.context->runtime->config->limits.client_statements;
  if (all.size() < limit || all.contains(name)) return true;
  // The unnamed one does not count, nor those whose end is under way.
  const auto counts = [](const auto& entry) { return !entry.first.empty() && !entry.second->gone; };
  return static_cast<std::size_t>(std::count_if(all.begin(), all.end(), counts)) < limit;
}

Task<Result<ItemResult>> run_parse(Session* session, const BatchItem* item) {
  const auto statement = co_await prepare(session, item->body());
  if (!statement && ends_session(statement.error())) co_return statement.error();
  if (!statement) co_return refused(statement.error());
  const auto refusal = co_await refusal_of(session, (*statement)->analysed);
  if (refusal) co_return refused(*refusal, Recorded::kYes);
  if (copies_as_insert(*(*statement)->analysed)) {
    co_return refused(make_error(pst::kCopyNeedsQuery));
  }
  const std::string& name = (*statement)->name;
  if (!has_room_for_statement(*session, **statement)) {
    co_return refused(make_error(pst::kTooManyStatements));
  }
  if (session->pooled && !name.empty() && in_doubt(*session, name)) {
    const Status known = co_await resolve_names(session);
    if (!known) co_return known.error();
  }
  if (session->pooled && !name.empty() && find_statement(session, name) != nullptr) {
    // Servers see names of ours: on a replica this error would have to be ours as well.
    if (session->reading != nullptr) {
      co_return refused(make_error(pst::kDuplicateStatement, "\"" + name + "\""));
    }
  }
  const Status status = send_parse(session, *statement);
  if (!status) co_return status.error();
  co_return sent();
}

Task<Result<std::shared_ptr<PreparedStatement>>> prepare(Session* session, ByteView body) {
  const auto parse = protocol::Parse::decode(body);
  if (!parse) co_return parse.error();
  const auto analysed = co_await analyse(session, parse->text);
  if (!analysed) co_return analysed.error();
  auto statement = std::make_shared<PreparedStatement>();
  statement->name = parse->statement;
  statement->analysed = text_of(*analysed, parse->text);
  if (session->pooled) statement->scan = scan_state(parse->text);
  for (std::size_t i = 0; i < parse->parameter_types.size(); ++i) {
    statement->client_types.push_back(parse->parameter_types[i]);
  }
  const auto& decision = statement->analysed->decision;
  if (decision != nullptr && decision->refused()) co_return statement;
  const Status hidden = hide_literals(statement.get());
  if (!hidden) co_return hidden.error();
  if (names_in_doubt(*session, statement->analysed->text)) {
    const Status resolved = co_await resolve_names(session);
    if (!resolved) co_return resolved.error();
  }
  if (session->pooled) splice_named(session, statement.get());
  name_statement(session, statement.get());
  if (!statement->name.empty()) hold_text(session, statement.get());
  co_return statement;
}

}  // namespace postern::proxy
