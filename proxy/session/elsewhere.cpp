#include "proxy/session/elsewhere.hpp"

#include <algorithm>
#include <utility>

#include "base/codes/pool.hpp"
#include "crypto/init.hpp"
#include "protocol/extended.hpp"
#include "protocol/simple.hpp"
#include "proxy/route/choice.hpp"
#include "proxy/session/analyse.hpp"
#include "proxy/session/audit_trail.hpp"
#include "proxy/session/batch_items.hpp"
#include "proxy/session/cached_reads.hpp"
#include "proxy/session/clock.hpp"
#include "proxy/session/items.hpp"
#include "proxy/session/link.hpp"
#include "proxy/session/names.hpp"
#include "proxy/session/refuse.hpp"
#include "proxy/session/replies.hpp"
#include "proxy/session/sealing.hpp"
#include "proxy/session/state_following.hpp"

namespace postern::proxy {
namespace {

using protocol::Disposition;
using protocol::FrontendType;
using protocol::Request;

bool session_allows(const Session& session) {
  const ServerLink* link = session.primary.get();
  const bool free =
      link == nullptr ? session.pooled : !link->broken && server_idle(session) && link->out_empty();
  return free && !session.state.suspect() && session.state.pins() == Pin::kNone &&
         !session.settings_changed && !session.position_due && session.search_path_known &&
         session.marks.empty() && !session.path_due && !session.effect_under_way;
}

bool decision_allows(const AnalysedText& analysed) {
  return analysed.decision != nullptr && !analysed.decision->refused() &&
         analysed.decision->statements.size() == 1 &&
         analysed.decision->statements.front().route == policy::RouteClass::kReplicaEligible;
}

// Replicas ----------------------------------------------------------------------------------------

std::optional<Endpoint> choose_replica(const Session& session) {
  const config::Config& config = *session.context->runtime->config;
  const auto& routing = config.routing;
  if (!routing) return std::nullopt;
  const auto route = config::effective_route(config, session.database->options());
  if (route == config::RouteDefault::kPrimary) return std::nullopt;
  const Cluster& cluster = session.database->cluster();
  const auto state = cluster.state();
  ChoiceQuestion question;
  question.cluster = state.get();
  question.floor = session.floor;
  question.lag_bytes = routing->lag_bytes.bytes;
  question.random = crypto::random_u32();
  const ReplicaChoice choice = choose(question);
  const auto protection = session.database->protection();
  for (const std::size_t index : choice.ready) {
    const Endpoint& node = cluster.nodes().at(index);
    if (protection == nullptr || protection->reads_from(node)) return node;
  }
  return std::nullopt;
}

// The session's link to this node: kept from the last read, or fresh.
Task<Result<ServerLink*>> replica_link(Session* session, Endpoint node) {
  if (session->replica != nullptr) {
    ServerLink& kept = *session->replica;
    const bool usable = !kept.broken && kept.facts().endpoint == node &&
                        kept.queue().releasable() && kept.transport().peek() == IdleState::kQuiet;
    if (usable) co_return session->replica.get();
    kept.broken = kept.broken || kept.transport().peek() != IdleState::kQuiet;
    co_await release_link(session, std::move(session->replica));
  }
  Result<std::unique_ptr<ServerLink>> link = co_await acquire_link(session, std::move(node));
  if (!link) co_return link.error();
  if (!(*link)->facts().standby) {
    // Promoted since it was probed: the monitor will say so soon.
    co_await release_link(session, std::move(*link));
    co_return make_error(pst::kUpstreamUnavailable, "the node is no replica any more");
  }
  session->replica = std::move(*link);
  const Status brought = take_state_along(session, session->replica.get());
  if (!brought) co_return brought.error();
  ServerLink* link_kept = session->replica.get();
  if (!link_kept->queue().empty()) {
    const Status sent = co_await link_kept->flush();
    if (!sent) co_return sent.error();
    const Status settled = co_await drain_replies(session, link_kept);
    if (!settled) co_return settled.error();
  }
  co_return session->replica.get();
}

/// Marks the link as the one being read, for cancel requests and batch items.
class Reading {
 public:
  Reading(Session* session, ServerLink* link) : session_(session) {
    session_->reading = link;
    session_->active = link;
  }
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;
  ~Reading() {
    session_->reading = nullptr;
    session_->active = session_->primary.get();
  }

 private:
  Session* session_;
};

// Sends what the link holds and passes its replies on. False: the link failed before a byte of the
// answer left, so the primary can answer instead.
Task<Result<bool>> read_answer(Session* session, ServerLink* link) {
  const std::uint64_t before = session->out.written();
  const Status sent = co_await link->flush();
  Status drained = sent ? ok() : Status(sent.error());
  if (sent) drained = co_await drain_replies(session, link);
  if (drained) {
    // A cancel request under way names this connection, and would meet its next holder.
    while (link->cancels > 0) co_await link->cancels_done.wait();
    if (session->pooled)
      give_back(session, std::move(session->replica), link->quiet() && !link->mixed);
    co_return true;
  }
  link->broken = true;
  const bool cut = cuts_message(*link);
  if (session->timed_out) cancel_statement(session->shared_from_this());
  close_open_executions(session, link, drained.error());
  const bool untouched = session->out.written() == before && session->out.pending().empty();
  co_await release_link(session, std::move(session->replica));
  if (cut) {
    session->ending = true;
    session->client.close();
    co_return drained.error();
  }
  if (session->timed_out) co_return make_error(*session->timed_out);
  if (!untouched) co_return drained.error();
  session->runtime().metrics.replica_fallbacks.add();
  co_return false;
}

Task<Result<ServerLink*>> armed_replica(Session* session) {
  const auto chosen = choose_replica(*session);
  if (!chosen) {
    if (session->config().routing) session->runtime().metrics.replica_fallbacks.add();
    co_return static_cast<ServerLink*>(nullptr);
  }
  Endpoint node = *chosen;
  const Result<ServerLink*> link = co_await replica_link(session, std::move(node));
  if (!link) {
    session->runtime().metrics.replica_fallbacks.add();
    co_return static_cast<ServerLink*>(nullptr);
  }
  if (arming_due(*session, **link)) {
    const Status armed = arm_link(session, *link);
    if (!armed) co_return armed.error();
  }
  co_return *link;
}

// Batches -----------------------------------------------------------------------------------------

/// A batch that is one read: [Parse] Bind [Describe] Execute, all of one statement and portal.
struct LoneRead {
  const BatchItem* parse = nullptr;
  const BatchItem* bind = nullptr;
  const BatchItem* describe = nullptr;
  const BatchItem* execute = nullptr;
};

std::optional<LoneRead> lone_read(const BatchItems& items) {
  LoneRead read;
  for (const BatchItem& item : items) {
    const bool in_order = read.execute == nullptr;
    if (item.type == FrontendType::kParse && read.bind == nullptr && read.parse == nullptr) {
      read.parse = &item;
    } else if (item.type == FrontendType::kBind && read.bind == nullptr) {
      read.bind = &item;
    } else if (item.type == FrontendType::kDescribe && read.bind != nullptr &&
               read.describe == nullptr && in_order) {
      read.describe = &item;
    } else if (item.type == FrontendType::kExecute && read.bind != nullptr && in_order) {
      read.execute = &item;
    } else {
      return std::nullopt;
    }
  }
  if (read.execute == nullptr) return std::nullopt;
  return read;
}

// Names and limits agree; nothing but the unnamed portal is left behind.
Result<bool> consistent(const LoneRead& read) {
  POSTERN_ASSIGN(const auto bind, protocol::Bind::decode(read.bind->body()));
  POSTERN_ASSIGN(const auto execute, protocol::Execute::decode(read.execute->body()));
  bool fits = bind.portal.empty() && execute.portal.empty() && execute.max_rows <= 0;
  if (read.parse != nullptr) {
    POSTERN_ASSIGN(const auto parse, protocol::Parse::decode(read.parse->body()));
    fits = fits && parse.statement == bind.statement;
  }
  if (read.describe != nullptr) {
    POSTERN_ASSIGN(const auto describe, protocol::Describe::decode(read.describe->body()));
    fits = fits && describe.target == protocol::Target::kPortal && describe.name.empty();
  }
  return fits;
}

Task<Result<std::shared_ptr<PreparedStatement>>> statement_of(Session* session,
                                                              const LoneRead* read) {
  if (read->parse != nullptr) {
    const auto prepared = co_await prepare(session, read->parse->body());
    if (!prepared) co_return std::shared_ptr<PreparedStatement>();
    // A name in use is an error, and the server's to report.
    const std::string& name = (*prepared)->name;
    const bool in_use = !name.empty() && find_statement(session, name) != nullptr;
    const bool fits = has_room_for_statement(*session, **prepared);
    if (in_use || !fits) co_return std::shared_ptr<PreparedStatement>();
    co_return *prepared;
  }
  const auto bind = protocol::Bind::decode(read->bind->body());
  if (!bind) co_return bind.error();
  const auto known = find_statement(session, bind->statement);
  if (known == nullptr || in_doubt(*session, bind->statement) ||
      means_other(*session, *known->analysed)) {
    co_return std::shared_ptr<PreparedStatement>();
  }
  co_return known;
}

// What the cache needs to know of the Bind; nullopt where sealing fails: the primary's path says
// so to the client.
std::optional<ReadRequest> cache_request(Session* session, const LoneRead& read,
                                         const PreparedStatement& statement) {
  const auto bind = protocol::Bind::decode(read.bind->body());
  if (!bind) return std::nullopt;
  // What the server will refuse has no answer to be found.
  const auto& results = bind->result_formats;
  if (!protocol::check_formats(bind->parameter_formats, bind->values.size()) ||
      !protocol::check_formats(results, results.size())) {
    return std::nullopt;
  }
  ReadRequest request;
  request.execution = std::make_shared<Execution>();
  request.execution->analysed = statement.analysed;
  request.execution->started = Clock::now();
  for (std::size_t i = 0; i < bind->result_formats.size(); ++i) {
    request.execution->result_formats.push_back(bind->result_formats[i]);
  }
  // Without a description on either side the columns of a hit could not be checked.
  const bool describable = statement.described || read.describe != nullptr ||
                           statement.analysed->protection->rules->columns.empty();
  if (!describable) return std::nullopt;
  request.execution->rows_checked = statement.described;
  request.execution->outputs = statement.analysed->decided(0)->outputs;
  request.server_text = statement.server_text;
  request.shape =
      read.describe != nullptr ? AnswerShape::kExtendedDescribe : AnswerShape::kExtended;
  request.parsed = read.parse != nullptr;
  Bytes sealed;
  if (seals_parameters(statement) && !seal_bind(session, statement, *bind, sealed)) {
    return std::nullopt;
  }
  std::vector<CacheParam> params;
  const auto final_bind =
      sealed.empty() ? bind : protocol::Bind::decode(ByteView(sealed).substr(5));
  std::size_t i = 0;
  for (const protocol::Value value : final_bind->values) {
    const Oid type = i < statement.server_types.size() ? statement.server_types[i] : kInvalidOid;
    params.push_back({type, protocol::format_of(final_bind->parameter_formats, i), !value,
                      value.value_or(ByteView())});
    ++i;
  }
  request.params = canonical_params(params);
  return request;
}

// Runs the items against a replica as if it were the primary.
Task<Result<bool>> read_batch(Session* session, ServerLink* link, const BatchItems* items) {
  const Reading reading(session, link);
  for (const BatchItem& item : *items) {
    const BatchItem* current = &item;
    const auto sent = co_await run_item(session, current);
    if (!sent) co_return sent.error();
    if (!sent->refusal) continue;
    // Nothing was sent yet: the primary's path refuses in the same words.
    link->broken = true;
    co_await release_link(session, std::move(session->replica));
    co_return false;
  }
  protocol::Sync{}.encode(link->out().own());
  Unit unit;
  unit.request = Request::kSync;
  const Status expected = link->expect(std::move(unit), Disposition::kForward);
  if (!expected) co_return expected.error();
  session->described_in_batch.clear();
  co_return co_await read_answer(session, link);
}

void remember(Session* session, const LoneRead& read,
              const std::shared_ptr<PreparedStatement>& statement) {
  if (read.parse == nullptr) return;
  expect_statement(session, statement);
  settle_statement(session, statement, true);
}

// The replica failed: the primary gets the Parse as if there had been none.
void forget(Session* session, const LoneRead& read) {
  if (read.parse == nullptr) return;
  const auto parse = protocol::Parse::decode(read.parse->body());
  if (!parse) return;
  const auto sent = find_statement(session, parse->statement);
  if (sent != nullptr && !sent->settled) settle_statement(session, sent, false);
}

}  // namespace

bool may_read_elsewhere(const Session& session) {
  const config::Config& config = *session.context->runtime->config;
  return (config.cache || config.routing) && session_allows(session);
}

bool may_leave_primary(const Session& session, const Execution& execution) {
  return may_read_elsewhere(session) && decision_allows(*execution.analysed);
}

Task<Result<bool>> serve_query_elsewhere(Session* session, std::shared_ptr<Execution> execution,
                                         const std::vector<Splice>* splices) {
  ReadRequest read;
  read.execution = execution;
  if (!splices->empty()) execution->spliced.emplace(execution->analysed->text, *splices);
  read.server_text = execution->spliced ? execution->spliced->text() : execution->analysed->text;
  const ReadRequest* request = &read;
  const auto cached = co_await serve_cached(session, request);
  if (!cached || *cached) co_return cached;
  if (session->pending_fill != nullptr) co_return false;
  const auto link = co_await armed_replica(session);
  if (!link) co_return link.error();
  if (*link == nullptr) co_return false;
  const Reading reading(session, *link);
  const Status encoded = protocol::Query{read.server_text}.encode((*link)->out().own());
  if (!encoded) co_return encoded.error();
  execution->route = "replica";
  note_node(*session, **link, execution.get());
  Unit unit;
  unit.request = Request::kQuery;
  unit.execution = execution;
  clock_request(session);
  const Status expected = (*link)->expect(std::move(unit), Disposition::kForward);
  if (!expected) co_return expected.error();
  const auto answered = co_await read_answer(session, *link);
  if (!answered) co_return answered.error();
  if (*answered) session->runtime().metrics.routed_replica.add();
  if (!*answered) execution->route = "primary";
  co_return *answered;
}

Task<Result<bool>> serve_batch_elsewhere(Session* session, const BatchItems* items) {
  if (!may_read_elsewhere(*session)) co_return false;
  const auto read = lone_read(*items);
  if (!read) co_return false;
  const auto fits = consistent(*read);
  if (!fits) co_return fits.error();
  if (!*fits) co_return false;
  const LoneRead* lone = &*read;
  const auto found = co_await statement_of(session, lone);
  if (!found) co_return found.error();
  const std::shared_ptr<PreparedStatement> statement = *found;
  if (statement == nullptr || !decision_allows(*statement->analysed) || !session_allows(*session)) {
    co_return false;
  }
  if (cache_ttl(*session, *statement->analysed)) {
    auto request = cache_request(session, *read, *statement);
    if (!request) co_return false;
    const Status opened = co_await open_intents(session, request->execution.get());
    if (!opened) co_return false;
    const ReadRequest* wanted = &*request;
    const auto cached = co_await serve_cached(session, wanted);
    if (!cached) co_return cached.error();
    if (*cached) {
      remember(session, *read, statement);
      session->runtime().metrics.statements.add();
      co_return true;
    }
    session->pending_tickets = std::move(request->execution->tickets);
    if (session->pending_fill != nullptr) co_return false;
  }
  const auto link = co_await armed_replica(session);
  if (!link) co_return link.error();
  if (*link == nullptr) co_return false;
  const auto answered = co_await read_batch(session, *link, items);
  if (answered && !*answered) forget(session, *read);
  co_return answered;
}

}  // namespace postern::proxy
