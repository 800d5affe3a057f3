#include "proxy/session/audit_trail.hpp"

#include <chrono>
#include <utility>

#include "base/codes/audit.hpp"
#include "protocol/error_message.hpp"
#include "protocol/rows.hpp"
#include "proxy/runtime/refusals.hpp"
#include "proxy/session/audit_record.hpp"
#include "proxy/session/copy_insert.hpp"
#include "proxy/session/violations.hpp"
#include "proxy/sinks/log.hpp"

namespace postern::proxy {
namespace {

using audit::Urgency;
using config::AuditMode;

AuditMode mode_of(const config::AuditOptions& options, const policy::StatementDecision* decided) {
  const bool pii = decided != nullptr && decided->touches_pii;
  return pii ? std::min(options.mode, options.pii_mode) : options.mode;
}

bool is_write(const policy::StatementDecision* decided) {
  // Not understood, or not decided about: assume the worst.
  return decided == nullptr || decided->writes;
}

AuditRigor rigor(const Session& session, const Execution& execution, std::size_t index) {
  const config::Config& config = *session.context->runtime->config;
  if (!config.audit) return AuditRigor::kNone;
  const auto* decided = execution.analysed->decided(index);
  switch (mode_of(*config.audit, decided)) {
    case AuditMode::kStrict:
      return AuditRigor::kStrict;
    case AuditMode::kStrictWrite:
      return is_write(decided) ? AuditRigor::kStrict : AuditRigor::kIntent;
    case AuditMode::kBatch:
    case AuditMode::kAsync:
      return AuditRigor::kBatch;
  }
  return AuditRigor::kStrict;
}

// What the log's refusal means for a statement under the configured policy.
Status on_log_failure(Session* session, const Error& error, bool writes) {
  session->runtime().metrics.audit_failures.add();
  switch (session->config().audit->on_failure) {
    case config::AuditFailure::kContinueAndCount:
      return ok();
    case config::AuditFailure::kReadOnly:
      if (!writes) return ok();
      return error;
    case config::AuditFailure::kBlock:
    case config::AuditFailure::kDeny:
      return error;
  }
  return error;
}

// One wait for the log: an event of its own, since both coroutines of a session may wait at once.
class Waiting {
 public:
  explicit Waiting(Session* session)
      : waiters_(&session->context->audit_waiters), event_(session->worker()->executor()) {
    waiters_->add(&event_);
  }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;
  ~Waiting() { waiters_->remove(&event_); }
  Event& event() { return event_; }

 private:
  AuditWaiters* waiters_;
  Event event_;
};

// Appends a record; kAuditBusy leaves it as it is.
Result<std::uint64_t> append_now(Session* session, audit::EncodedRecord& record, Urgency urgency) {
  Result<std::uint64_t> index = session->runtime().audit->append(std::move(record), urgency);
  if (index) session->runtime().metrics.audit_records.add();
  return index;
}

bool is_busy(const Result<std::uint64_t>& index) {
  return !index && index.error().code == pst::kAuditBusy;
}

Task<Result<std::uint64_t>> append_when_room(Session* session, audit::EncodedRecord record,
                                             Urgency urgency) {
  Waiting waiting(session);
  for (;;) {
    // Asked before each wait: room may have come since the caller was refused.
    Result<std::uint64_t> index = append_now(session, record, urgency);
    if (!is_busy(index)) co_return index;
    co_await waiting.event().wait();
  }
}

// Appends a record, waiting while the queue is full.
Prompt<Result<std::uint64_t>> append_waiting(Session* session, audit::EncodedRecord record,
                                             Urgency urgency) {
  Result<std::uint64_t> index = append_now(session, record, urgency);
  if (is_busy(index)) return append_when_room(session, std::move(record), urgency);
  return index;
}

Task<void> append_event(Session* session, audit::EncodedRecord record) {
  if (session->runtime().audit == nullptr) co_return;
  const auto index = co_await append_waiting(session, std::move(record), Urgency::kBatch);
  if (!index) session->runtime().metrics.audit_failures.add();
}

audit::SessionEvent session_event(Session* session, const Error* failure,
                                  const std::string& label) {
  audit::SessionEvent event;
  event.session = session->audit_id;
  event.time_us = now_us();
  event.who = who_of(session->identity);
  if (session->database != nullptr) event.database = session->database->name();
  if (session->on_console) event.database = config::kConsoleDatabase;
  event.method = session->identity.method;
  event.success = failure == nullptr;
  event.code = label;
  return event;
}

}  // namespace

Task<void> record_login(Session* session, const Error* failure) {
  const std::string label = failure != nullptr ? pst_label(failure->code) : std::string();
  const audit::SessionEvent event = session_event(session, failure, label);
  audit::EncodedRecord auth = audit::encode_session(audit::Kind::kAuth, event);
  audit::EncodedRecord open = audit::encode_session(audit::Kind::kSessionOpen, event);
  co_await append_event(session, std::move(auth));
  if (failure == nullptr) co_await append_event(session, std::move(open));
}

Task<Status> record_command(Session* session, std::string command) {
  if (session->runtime().audit == nullptr) co_return ok();
  const std::pair<std::string_view, std::string_view> details[] = {
      {"command", command}, {"client", session->identity.address}};
  audit::Event event;
  event.time_us = now_us();
  event.actor = session->identity.login;
  event.action = "console";
  event.details = details;
  audit::EncodedRecord record = audit::encode_event(audit::Kind::kAdmin, event);
  const auto index = co_await append_waiting(session, std::move(record), Urgency::kNow);
  if (index) co_return ok();
  session->runtime().metrics.audit_failures.add();
  co_return index.error();
}

Task<void> record_end(Session* session) {
  audit::SessionEvent event = session_event(session, nullptr, {});
  event.statements = session->statements_run;
  audit::EncodedRecord record = audit::encode_session(audit::Kind::kSessionClose, event);
  co_await append_event(session, std::move(record));
}

void note_node(const Session& session, const ServerLink& link, Execution* execution) {
  if (records(session)) execution->node = link.facts().endpoint.text();
}

namespace {

// What the log said to the intent of statement `i`.
Status take_ticket(Session* session, Execution* execution, std::size_t i,
                   const Result<std::uint64_t>& index) {
  if (!index) {
    return on_log_failure(session, index.error(), is_write(execution->analysed->decided(i)));
  }
  execution->tickets[i] = audit::Ticket{*index};
  return ok();
}

Prompt<Status> open_intents_from(Session* session, Execution* execution, std::size_t i);

// The queue had no room for the intent of statement `i`.
Task<Status> open_when_room(Session* session, Execution* execution, std::size_t i,
                            audit::EncodedRecord intent, Urgency urgency) {
  const auto index = co_await append_when_room(session, std::move(intent), urgency);
  const Status taken = take_ticket(session, execution, i, index);
  if (!taken) co_return taken.error();
  co_return co_await open_intents_from(session, execution, i + 1);
}

Prompt<Status> open_intents_from(Session* session, Execution* execution, std::size_t i) {
  for (; i < execution->tickets.size(); ++i) {
    const StatementRecord record(*session, *execution, i);
    const bool waits = rigor(*session, *execution, i) >= AuditRigor::kIntent;
    const Urgency urgency = waits ? Urgency::kNow : Urgency::kBatch;
    audit::EncodedRecord intent = audit::encode_intent(record.intent());
    const Result<std::uint64_t> index = append_now(session, intent, urgency);
    if (is_busy(index)) return open_when_room(session, execution, i, std::move(intent), urgency);
    POSTERN_TRY(take_ticket(session, execution, i, index));
  }
  return ok();
}

}  // namespace

Prompt<Status> open_intents(Session* session, Execution* execution) {
  const auto& facts = execution->analysed->facts;
  execution->tickets.resize(facts != nullptr ? facts->statements.size() : 1);
  if (!records(*session)) return ok();
  return open_intents_from(session, execution, 0);
}

namespace {

RefusalGroup group_of(const Session& session, const AnalysedText& analysed, const Error& error) {
  RefusalGroup group;
  if (session.database != nullptr) group.database = session.database->name();
  group.login = session.identity.login;
  group.application = session.identity.application;
  group.code = pst_label(error.code);
  if (analysed.facts != nullptr) group.fingerprint = analysed.facts->fingerprint;
  const auto& decision = analysed.decision;
  const bool decided = decision != nullptr && decision->refusal;
  if (decided && decision->refusal->error.code == error.code) group.rule = decision->refusal->rule;
  return group;
}

}  // namespace

Task<Status> record_refusal(Session* session, std::shared_ptr<const AnalysedText> analysed,
                            Error error, bool observed) {
  Metrics& metrics = session->runtime().metrics;
  (observed ? metrics.observed : metrics.refusals).add(error.code);
  RefusalGroup group = group_of(*session, *analysed, error);
  group.observed = observed;
  refusals().note(std::move(group), now_us());
  tell_refusal(session, *analysed, error, observed);
  if (session->runtime().audit == nullptr) co_return ok();
  Execution execution;
  execution.analysed = std::move(analysed);
  const StatementRecord record(*session, execution, 0);
  audit::EncodedRecord encoded = audit::encode_refusal(record.refusal(error, observed));
  const Result<std::uint64_t> index =
      co_await append_waiting(session, std::move(encoded), Urgency::kBatch);
  if (!index) co_return on_log_failure(session, index.error(), true);
  co_return ok();
}

std::optional<std::uint64_t> forward_gate(const Session& session, const Execution& execution) {
  const auto* log = session.context->runtime->audit.get();
  if (log == nullptr) return std::nullopt;
  std::optional<std::uint64_t> latest;
  for (std::size_t i = 0; i < execution.tickets.size(); ++i) {
    const auto& ticket = execution.tickets[i];
    const bool waits = rigor(session, execution, i) == AuditRigor::kStrict &&
                       is_write(execution.analysed->decided(i));
    if (waits && ticket && !log->is_durable(ticket->index)) latest = ticket->index;
  }
  return latest;
}

std::optional<std::uint64_t> row_gate(const Session& session, const Execution& execution) {
  const auto* log = session.context->runtime->audit.get();
  if (log == nullptr || execution.index >= execution.tickets.size()) return std::nullopt;
  const auto& ticket = execution.tickets[execution.index];
  const bool waits = rigor(session, execution, execution.index) >= AuditRigor::kIntent;
  if (!waits || !ticket || log->is_durable(ticket->index)) return std::nullopt;
  return ticket->index;
}

Result<std::optional<std::uint64_t>> close_current(Session* session, Execution* execution,
                                                   const audit::Outcome& outcome) {
  using Answer = std::optional<std::uint64_t>;
  audit::Log* log = session->runtime().audit.get();
  if (log == nullptr || execution->index >= execution->tickets.size()) return Answer();
  auto& ticket = execution->tickets[execution->index];
  if (!ticket) return Answer();
  const bool strict = rigor(*session, *execution, execution->index) == AuditRigor::kStrict;
  const auto index = log->close(*ticket, outcome, strict ? Urgency::kNow : Urgency::kBatch);
  if (!index && index.error().code == pst::kAuditBusy) return index.error();
  ticket.reset();
  if (!index) {
    // A success that cannot be recorded must not be told, where the policy says so.
    const bool wrote = is_write(execution->analysed->decided(execution->index));
    POSTERN_TRY(on_log_failure(session, index.error(), wrote));
    return Answer();
  }
  session->runtime().metrics.audit_records.add();
  return strict ? Answer(*index) : Answer();
}

void close_open_executions(Session* session, ServerLink* link, const Error& error) {
  const auto close = [&](Execution& execution) {
    audit::Outcome outcome;
    outcome.state = audit::State::kLost;
    outcome.time_us = now_us();
    outcome.code = pst_label(error.code);
    for (; execution.index < execution.tickets.size(); ++execution.index) {
      (void)close_current(session, &execution, outcome);
    }
  };
  link->each_unit([&](Unit& unit) {
    if (unit.execution != nullptr) close(*unit.execution);
  });
  // Between its messages no unit holds a COPY that is carried out here.
  const bool copies = link == session->primary.get() && session->copying != nullptr;
  if (copies && session->copying->execution() != nullptr) close(*session->copying->execution());
}

Task<Status> wait_durable(Session* session, std::uint64_t index) {
  audit::Log* log = session->runtime().audit.get();
  Waiting waiting(session);
  while (!log->is_durable(index)) {
    if (log->state() != audit::LogState::kRunning) {
      co_return on_log_failure(session, make_error(pst::kAuditUnavailable), true);
    }
    co_await waiting.event().wait();
  }
  co_return ok();
}

Result<std::optional<std::uint64_t>> settle(Session* session, Unit& unit,
                                            const protocol::Frame& frame) {
  Execution& execution = *unit.execution;
  if (execution.settled > execution.index) return std::optional<std::uint64_t>();
  const auto elapsed =
      std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - execution.started);
  audit::Outcome outcome;
  if (records(*session)) outcome.time_us = now_us();
  outcome.rows = execution.rows;
  outcome.bytes = execution.bytes;
  outcome.latency.total_us = static_cast<std::uint64_t>(elapsed.count());
  outcome.where.node = execution.node;
  outcome.where.route = execution.route;
  std::string sqlstate;
  if (frame.backend() == protocol::BackendType::kErrorResponse) {
    outcome.state = audit::State::kError;
    const auto fields = protocol::ErrorFields::decode(frame.body);
    if (fields) sqlstate = fields->get(protocol::kFieldSqlstate).value_or("");
    if (sqlstate == "57014") outcome.state = audit::State::kCancelled;
    outcome.sqlstate = sqlstate;
    tell_server_error(session, execution, sqlstate);
  } else if (frame.backend() == protocol::BackendType::kCommandComplete && execution.rows == 0) {
    const auto complete = protocol::CommandComplete::decode(frame.body);
    if (complete) outcome.rows = complete->rows();
  }
  POSTERN_ASSIGN(const auto index, close_current(session, &execution, outcome));
  execution.settled = execution.index + 1;
  session->statistics.statement_answered();
  session->runtime().metrics.latency.observe(static_cast<std::uint64_t>(elapsed.count()));
  return index;
}

void end_execution(Session* session, Execution& execution, audit::State state) {
  if (execution.index >= execution.tickets.size()) return;
  audit::Outcome outcome;
  outcome.state = state;
  outcome.time_us = now_us();
  for (; execution.index < execution.tickets.size(); ++execution.index) {
    (void)close_current(session, &execution, outcome);
  }
}

Task<void> room_in_log(Session* session) {
  Waiting waiting(session);
  co_await waiting.event().wait();
}

}  // namespace postern::proxy
