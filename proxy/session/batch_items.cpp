#include "proxy/session/batch_items.hpp"

#include <algorithm>
#include <utility>

#include "base/codes/pool.hpp"
#include "base/codes/session.hpp"
#include "base/codes/wire.hpp"
#include "protocol/extended.hpp"
#include "protocol/rows.hpp"
#include "protocol/simple.hpp"
#include "proxy/session/analyse.hpp"
#include "proxy/session/audit_trail.hpp"
#include "proxy/session/link.hpp"
#include "proxy/session/position.hpp"
#include "proxy/session/publish.hpp"
#include "proxy/session/refuse.hpp"
#include "proxy/session/sealing.hpp"
#include "proxy/session/tracking.hpp"

namespace postern::proxy {
namespace {

using protocol::Disposition;
using protocol::FrontendType;
using protocol::Request;

constexpr std::string_view kSearchPathSql = "SELECT pg_catalog.current_setting('search_path')";

ItemResult sent() {
  return {};
}

ItemResult refused(Error error, Recorded recorded = Recorded::kNo) {
  return {std::move(error), recorded};
}

Unit unit_for(Request request, Internal internal = Internal::kNone) {
  Unit unit;
  unit.request = request;
  unit.internal = internal;
  return unit;
}

/// Rows of protected columns can only come out where the catalog has some.
bool checks_columns(const AnalysedText& analysed) {
  return analysed.protection != nullptr && analysed.protection->rules != nullptr &&
         !analysed.protection->rules->columns.empty();
}

std::shared_ptr<PreparedStatement> find_statement(Session* session, ByteView name) {
  const auto it = session->statements.find(name);
  return it == session->statements.end() ? nullptr : it->second;
}

Status encode_parse(ServerLink* link, const PreparedStatement& statement) {
  Bytes types;
  const protocol::Parse parse{statement.name, statement.server_text,
                              protocol::OidList::pack(statement.server_types, types)};
  return parse.encode(link->out().own());
}

// A name that stands for something else, or perhaps nothing, on this connection is freed.
Status close_stale(ServerLink* link, const std::string& name) {
  if (name.empty() || !link->prepared.contains(name)) return ok();
  const protocol::Close close{protocol::Target::kStatement, name};
  POSTERN_TRY(close.encode(link->out().own()));
  link->prepared.erase(name);
  return link->expect(unit_for(Request::kClose, Internal::kReparse), Disposition::kSwallow);
}

// Parse ------------------------------------------------------------------------------------------

Status send_parse(Session* session, std::shared_ptr<PreparedStatement> statement) {
  ServerLink* link = session->active;
  // A kept replica may have the name from before; the primary says 42P05 by itself.
  if (session->reading != nullptr) POSTERN_TRY(close_stale(link, statement->name));
  POSTERN_TRY(encode_parse(link, *statement));
  link->prepared.insert_or_assign(statement->name, statement->id);
  session->statements.insert_or_assign(statement->name, statement);
  Unit unit = unit_for(Request::kParse);
  unit.statement = std::move(statement);
  return link->expect(std::move(unit), Disposition::kForward);
}

Task<Result<ItemResult>> run_parse(Session* session, ByteView body) {
  const auto statement = co_await prepare(session, body);
  if (!statement) co_return refused(statement.error());
  const auto refusal = co_await refusal_of(session, (*statement)->analysed);
  if (refusal) co_return refused(*refusal, Recorded::kYes);
  const Status status = send_parse(session, *statement);
  if (!status) co_return status.error();
  co_return sent();
}

// Bind -------------------------------------------------------------------------------------------

// The statement must exist on this server connection under its present meaning.
Status ensure_prepared(ServerLink* link, const std::shared_ptr<PreparedStatement>& statement) {
  const auto known = link->prepared.find(statement->name);
  if (known != link->prepared.end() && known->second == statement->id) return ok();
  POSTERN_TRY(close_stale(link, statement->name));
  POSTERN_TRY(encode_parse(link, *statement));
  link->prepared.insert_or_assign(statement->name, statement->id);
  Unit unit = unit_for(Request::kParse, Internal::kReparse);
  unit.statement = statement;
  return link->expect(std::move(unit), Disposition::kSwallow);
}

// Decides a statement again that was prepared under an older policy or catalog.
Task<Result<ItemResult>> refresh(Session* session, std::shared_ptr<PreparedStatement>* statement) {
  if (!outdated(*session, *(*statement)->analysed)) co_return sent();
  const auto& old = **statement;
  const auto analysed = co_await analyse(session, old.analysed->text);
  if (!analysed) co_return refused(analysed.error());
  auto renewed = std::make_shared<PreparedStatement>();
  renewed->id = session->next_statement++;
  renewed->name = old.name;
  renewed->analysed = text_of(*analysed, old.analysed->text);
  renewed->client_types = old.client_types;
  const auto refusal = co_await refusal_of(session, renewed->analysed);
  if (refusal) co_return refused(*refusal, Recorded::kYes);
  const Status hidden = hide_literals(renewed.get());
  if (!hidden) co_return refused(hidden.error());
  session->statements.insert_or_assign(renewed->name, renewed);
  *statement = std::move(renewed);
  co_return sent();
}

std::vector<std::int16_t> formats_of(const protocol::FormatList& list) {
  std::vector<std::int16_t> formats;
  for (std::size_t i = 0; i < list.size(); ++i) formats.push_back(list[i]);
  return formats;
}

Task<Result<ItemResult>> run_bind(Session* session, const BatchItem* item) {
  const auto bind = protocol::Bind::decode(item->body());
  if (!bind) co_return bind.error();
  ServerLink* link = session->active;
  auto statement = find_statement(session, bind->statement);
  if (statement == nullptr) {
    // What Postern does not know it cannot seal, whatever the server may know under this name.
    if (gated(*session)) {
      const std::string name = "\"" + std::string(bind->statement) + "\"";
      co_return refused(make_error(pst::kUnknownStatement, name));
    }
    session->portals.erase(std::string(bind->portal));
    link->out().add_view(item->whole);
    const Status expected = link->expect(unit_for(Request::kBind), Disposition::kForward);
    if (!expected) co_return expected.error();
    co_return sent();
  }
  const auto fresh = co_await refresh(session, &statement);
  if (!fresh) co_return fresh.error();
  if (fresh->refusal) co_return *fresh;
  // Sealing comes first: what cannot be sealed is refused before anything is sent for it.
  Bytes sealed;
  const bool seals = seals_parameters(*statement);
  if (seals && session->effect_under_way) {
    co_return refused(make_error(pst::kSettingInBatch));
  }
  if (seals) {
    const Status status = seal_bind(session, *statement, *bind, sealed);
    if (!status) co_return refused(status.error());
  }
  const Status prepared = ensure_prepared(link, statement);
  if (!prepared) co_return prepared.error();
  if (seals) {
    link->out().own().append(sealed);
  } else {
    link->out().add_view(item->whole);
  }
  const auto formats = formats_of(bind->result_formats);
  auto bound = std::make_shared<Portal>(Portal{statement, formats});
  session->portals.insert_or_assign(std::string(bind->portal), bound);
  Unit unit = unit_for(Request::kBind);
  unit.statement = std::move(statement);
  unit.portal = bind->portal;
  unit.bound = std::move(bound);
  const Status expected = link->expect(std::move(unit), Disposition::kForward);
  if (!expected) co_return expected.error();
  co_return sent();
}

// Describe and Close -----------------------------------------------------------------------------

Task<Result<ItemResult>> run_describe(Session* session, const BatchItem* item) {
  const auto describe = protocol::Describe::decode(item->body());
  if (!describe) co_return describe.error();
  ServerLink* link = session->active;
  const bool of_statement = describe->target == protocol::Target::kStatement;
  Unit unit = unit_for(of_statement ? Request::kDescribeStatement : Request::kDescribePortal);
  if (of_statement) {
    unit.statement = find_statement(session, describe->name);
    if (unit.statement != nullptr) {
      const auto fresh = co_await refresh(session, &unit.statement);
      if (!fresh) co_return fresh.error();
      if (fresh->refusal) co_return *fresh;
      const Status prepared = ensure_prepared(link, unit.statement);
      if (!prepared) co_return prepared.error();
    }
  } else if (const auto it = session->portals.find(describe->name); it != session->portals.end()) {
    unit.statement = it->second->statement;
    unit.fill = session->pending_fill;
  }
  if (unit.statement != nullptr) session->described_in_batch.push_back(unit.statement->id);
  link->out().add_view(item->whole);
  const Status expected = link->expect(std::move(unit), Disposition::kForward);
  if (!expected) co_return expected.error();
  co_return sent();
}

Result<ItemResult> run_close(Session* session, const BatchItem& item) {
  POSTERN_ASSIGN(const auto close, protocol::Close::decode(item.body()));
  ServerLink* link = session->active;
  const std::string name(close.name);
  if (close.target == protocol::Target::kStatement) {
    session->statements.erase(name);
    session->confirmed_statements.erase(name);
    link->prepared.erase(name);
    if (session->replica != nullptr && session->replica.get() != link) {
      // The kept replica still has it; the next use there begins with a Close.
      if (auto it = session->replica->prepared.find(name); it != session->replica->prepared.end()) {
        it->second = kUnknownStatement;
      }
    }
  } else {
    session->portals.erase(name);
    session->confirmed_portals.erase(name);
  }
  link->out().add_view(item.whole);
  POSTERN_TRY(link->expect(unit_for(Request::kClose), Disposition::kForward));
  return sent();
}

// Execute ----------------------------------------------------------------------------------------

// The columns that come out are checked before a row is shown: by the client's own Describe, or by
// one that the client does not see.
Status ensure_described(Session* session, const Portal& portal, ByteView name) {
  PreparedStatement& statement = *portal.statement;
  auto& described = session->described_in_batch;
  const bool under_way =
      std::find(described.begin(), described.end(), statement.id) != described.end();
  if (statement.described || under_way || !checks_columns(*statement.analysed)) return ok();
  ServerLink* link = session->active;
  const protocol::Describe describe{protocol::Target::kPortal, name};
  POSTERN_TRY(describe.encode(link->out().own()));
  Unit unit = unit_for(Request::kDescribePortal, Internal::kDescribe);
  unit.statement = portal.statement;
  described.push_back(statement.id);
  return link->expect(std::move(unit), Disposition::kSwallow);
}

std::shared_ptr<Execution> execution_of(Session* session, const Portal& portal) {
  auto execution = std::make_shared<Execution>();
  execution->analysed = portal.statement->analysed;
  execution->spliced = portal.statement->spliced;
  execution->result_formats = portal.result_formats;
  execution->started = Clock::now();
  execution->node = session->active->facts().endpoint.text();
  execution->rows_checked = true;
  if (const auto* decided = execution->analysed->decided(0)) {
    execution->outputs = decided->outputs;
  }
  execution->fill = std::exchange(session->pending_fill, nullptr);
  if (session->reading != nullptr) execution->route = "replica";
  return execution;
}

// Everything an execution has to pass before it may be sent.
Task<Result<ItemResult>> clear_execution(Session* session, Execution* execution) {
  execution->tickets = std::exchange(session->pending_tickets, {});
  if (execution->tickets.empty()) {
    const Status opened = co_await open_intents(session, execution);
    if (!opened) {
      end_execution(session, *execution, audit::State::kCancelled);
      co_return refused(opened.error());
    }
  }
  if (const auto index = forward_gate(*session, *execution)) {
    const Status durable = co_await wait_durable(session, *index);
    if (!durable) {
      end_execution(session, *execution, audit::State::kCancelled);
      co_return refused(durable.error());
    }
  }
  co_await mark_writes(session, execution);
  co_return sent();
}

void note_effects(Session* session, const AnalysedText& analysed) {
  const sql::Statement* statement = analysed.statement(0);
  if (statement != nullptr && changes_settings(*statement)) session->effect_under_way = true;
}

// A portal Postern did not see bound (a cursor of SQL, or analysis is off): recorded as opaque.
std::shared_ptr<Execution> opaque_execution(Session* session) {
  auto execution = std::make_shared<Execution>();
  execution->analysed = std::make_shared<const AnalysedText>();
  execution->started = Clock::now();
  execution->node = session->active->facts().endpoint.text();
  return execution;
}

Task<Result<ItemResult>> run_execute(Session* session, const BatchItem* item) {
  const auto execute = protocol::Execute::decode(item->body());
  if (!execute) co_return execute.error();
  ServerLink* link = session->active;
  const auto it = session->portals.find(execute->portal);
  const std::shared_ptr<Portal> portal = it != session->portals.end() ? it->second : nullptr;
  if (portal == nullptr && gated(*session)) {
    co_return refused(make_error(pst::kUnknownPortal, "\"" + std::string(execute->portal) + "\""));
  }
  if (portal != nullptr && gated(*session) && outdated(*session, *portal->statement->analysed)) {
    co_return refused(make_error(pst::kPolicyChanged));
  }
  auto execution = portal != nullptr ? execution_of(session, *portal) : opaque_execution(session);
  const auto cleared = co_await clear_execution(session, execution.get());
  if (!cleared) co_return cleared.error();
  if (cleared->refusal) co_return *cleared;
  if (portal != nullptr) {
    const Status described = ensure_described(session, *portal, execute->portal);
    if (!described) co_return described.error();
  }
  Metrics& metrics = session->runtime().metrics;
  metrics.statements.add();
  (session->reading != nullptr ? metrics.routed_replica : metrics.routed_primary).add();
  if (session->reading == nullptr) note_writes(session, *execution);
  note_effects(session, *execution->analysed);
  Unit unit = unit_for(Request::kExecute);
  unit.execution = std::move(execution);
  link->out().add_view(item->whole);
  const Status expected = link->expect(std::move(unit), Disposition::kForward);
  if (!expected) co_return expected.error();
  co_return sent();
}

}  // namespace

Task<Result<std::shared_ptr<PreparedStatement>>> prepare(Session* session, ByteView body) {
  const auto parse = protocol::Parse::decode(body);
  if (!parse) co_return parse.error();
  const auto analysed = co_await analyse(session, parse->text);
  if (!analysed) co_return analysed.error();
  auto statement = std::make_shared<PreparedStatement>();
  statement->id = session->next_statement++;
  statement->name = parse->statement;
  statement->analysed = text_of(*analysed, parse->text);
  for (std::size_t i = 0; i < parse->parameter_types.size(); ++i) {
    statement->client_types.push_back(parse->parameter_types[i]);
  }
  const auto& decision = statement->analysed->decision;
  if (decision != nullptr && decision->refused()) co_return statement;
  const Status hidden = hide_literals(statement.get());
  if (!hidden) co_return hidden.error();
  co_return statement;
}

Task<Result<ItemResult>> run_item(Session* session, const BatchItem* item) {
  if (session->reading == nullptr) {
    const Status attached = co_await attach_primary(session);
    if (!attached) co_return attached.error();
    session->active = session->primary.get();
    if (!session->batch_sent) {
      const Status armed = co_await arm_when_due(session);
      if (!armed) co_return armed.error();
    }
  }
  switch (item->type) {
    case FrontendType::kParse:
      co_return co_await run_parse(session, item->body());
    case FrontendType::kBind:
      co_return co_await run_bind(session, item);
    case FrontendType::kDescribe:
      co_return co_await run_describe(session, item);
    case FrontendType::kClose:
      co_return run_close(session, *item);
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
  const Status expected = link->expect(std::move(sync), Disposition::kForward);
  if (!expected) co_return expected.error();
  co_return ask_position(session);
}

Status send_flush(Session* session) {
  ServerLink* link = session->primary.get();
  protocol::Flush{}.encode(link->out().own());
  return link->expect(unit_for(Request::kFlush), Disposition::kForward);
}

Task<Status> drain_primary(Session* session) {
  ServerLink* link = session->primary.get();
  while (!link->queue().empty() && !link->broken) {
    const Status flushed = co_await link->flush();
    if (!flushed) co_return flushed.error();
    co_await link->drained.wait();
  }
  if (link->broken) co_return make_error(pst::kUpstreamLost);
  co_return ok();
}

Task<Status> settle_settings(Session* session) {
  ServerLink* link = session->primary.get();
  if (link == nullptr || session->database->protection() == nullptr) co_return ok();
  if (session->effect_under_way) {
    session->effect_under_way = false;
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

Task<Status> arm_when_due(Session* session) {
  ServerLink* link = session->primary.get();
  if (!arming_due(*session, *link)) co_return ok();
  // Arming needs to know that no transaction is open: what is under way is waited for.
  const Status drained = co_await drain_primary(session);
  if (!drained) co_return drained.error();
  if (!server_idle(*session)) co_return ok();
  co_return arm_link(session, link);
}

}  // namespace postern::proxy
