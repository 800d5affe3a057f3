// Execute: intents, gates, the check of its columns.
#include <algorithm>
#include <utility>

#include "base/codes/session.hpp"
#include "protocol/extended.hpp"
#include "proxy/session/analyse.hpp"
#include "proxy/session/audit_trail.hpp"
#include "proxy/session/clock.hpp"
#include "proxy/session/items.hpp"
#include "proxy/session/names.hpp"
#include "proxy/session/portal_rules.hpp"
#include "proxy/session/position.hpp"
#include "proxy/session/publish.hpp"
#include "proxy/session/rows.hpp"
#include "proxy/session/state_following.hpp"
#include "proxy/session/tracking.hpp"
#include "proxy/session/unseen_code.hpp"

namespace postern::proxy {
namespace {

using protocol::Disposition;
using protocol::Request;

// The columns that come out are checked before a row is shown: by the client's own Describe, or by
// one that the client does not see.
Status ensure_described(Session* session, const Portal& portal) {
  PreparedStatement& statement = *portal.statement;
  auto& described = session->described_in_batch;
  const bool under_way =
      std::find(described.begin(), described.end(), statement.id) != described.end();
  if (statement.described || under_way || !checks_columns(*statement.analysed, 0)) return ok();
  ServerLink* link = session->active;
  const protocol::Describe describe{protocol::Target::kPortal, portal.name};
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
  execution->named = portal.statement->named;
  execution->deallocates = portal.statement->deallocates;
  execution->result_formats = portal.result_formats;
  execution->started = Clock::now();
  note_node(*session, *session->active, execution.get());
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
  if (execution->tickets.empty() && records(*session)) {
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
  if (marks_writes(*session)) co_await mark_writes(session, execution);
  co_return sent();
}

void note_execution(Session* session, Execution& execution, const Portal* portal) {
  if (session->reading != nullptr) return;
  const AnalysedText& analysed = *execution.analysed;
  note_effects(session, analysed);
  if (!session->pooled) return;
  if (portal == nullptr) {
    session->state.note_unseen();
  } else {
    session->state.note(portal->statement->scan);
    expect_name_changes(session, execution, portal->statement->scan);
    if (runs_unseen_code(analysed)) note_unseen_code(session, session->primary.get());
  }
}

// A portal Postern did not see bound (a cursor of SQL, or analysis is off): recorded as opaque.
std::shared_ptr<Execution> opaque_execution(Session* session) {
  auto execution = std::make_shared<Execution>();
  execution->analysed = std::make_shared<const AnalysedText>();
  execution->started = Clock::now();
  note_node(*session, *session->active, execution.get());
  return execution;
}

std::shared_ptr<Portal> find_portal(Session* session, ByteView name) {
  const auto it = session->portals.find(name);
  return it == session->portals.end() ? nullptr : it->second;
}

Result<ItemResult> send_execute(Session* session, const BatchItem& item,
                                const std::shared_ptr<Portal>& portal,
                                std::shared_ptr<Execution> execution) {
  if (portal != nullptr) {
    const Status described = ensure_described(session, *portal);
    if (!described) {
      end_execution(session, *execution, audit::State::kCancelled);
      return described.error();
    }
  }
  ServerLink* link = session->active;
  Metrics& metrics = session->runtime().metrics;
  metrics.statements.add();
  (session->reading != nullptr ? metrics.routed_replica : metrics.routed_primary).add();
  if (session->reading == nullptr) note_writes(session, *execution);
  note_execution(session, *execution, portal.get());
  Unit unit = unit_for(Request::kExecute);
  unit.execution = std::move(execution);
  link->out().add_view(item.whole);
  clock_request(session);
  POSTERN_TRY(link->expect(std::move(unit), Disposition::kForward));
  return sent();
}

std::shared_ptr<Execution> execution_for(Session* session, const Portal* portal) {
  auto execution = portal != nullptr ? execution_of(session, *portal) : opaque_execution(session);
  execution->tickets = std::exchange(session->pending_tickets, {});
  return execution;
}

Error unknown_portal(ByteView name) {
  return make_error(pst::kUnknownPortal, "\"" + std::string(name) + "\"");
}

bool portal_in_doubt(const Session& session, const Portal& portal) {
  return in_doubt(session, portal) && heeds_names(session);
}

bool may_not_stand(const Session& session, const Portal& portal) {
  return gated(session) && outdated(session, *portal.statement->analysed);
}

// What the portal is has to be found out first, or the access log has to know of it.
Task<Result<ItemResult>> execute_when_clear(Session* session, const BatchItem* item) {
  const auto execute = protocol::Execute::decode(item->body());
  if (!execute) co_return execute.error();
  std::shared_ptr<Portal> portal = find_portal(session, execute->portal);
  if (portal != nullptr && portal_in_doubt(*session, *portal)) {
    const Status known = co_await resolve_names(session);
    if (!known) co_return known.error();
    portal = find_portal(session, execute->portal);
  }
  if (portal == nullptr && gated(*session)) co_return refused(unknown_portal(execute->portal));
  if (portal != nullptr && may_not_stand(*session, *portal)) {
    const auto stands = co_await portal_stands(session, portal);
    if (!stands) co_return stands.error();
    if (stands->refusal) co_return *stands;
  }
  auto execution = execution_for(session, portal.get());
  if (records(*session) || marks_writes(*session)) {
    const auto cleared = co_await clear_execution(session, execution.get());
    if (!cleared) co_return cleared.error();
    if (cleared->refusal) co_return *cleared;
  }
  co_return send_execute(session, *item, portal, std::move(execution));
}

}  // namespace

Prompt<Result<ItemResult>> run_execute(Session* session, const BatchItem* item) {
  const auto execute = protocol::Execute::decode(item->body());
  if (!execute) return execute.error();
  const std::shared_ptr<Portal> portal = find_portal(session, execute->portal);
  const bool doubtful =
      portal != nullptr && (portal_in_doubt(*session, *portal) || may_not_stand(*session, *portal));
  if (doubtful || records(*session) || marks_writes(*session)) {
    return execute_when_clear(session, item);
  }
  if (portal == nullptr && gated(*session)) return refused(unknown_portal(execute->portal));
  return send_execute(session, *item, portal, execution_for(session, portal.get()));
}

}  // namespace postern::proxy
