// Step 4 of a query's path: the session's side of the access log.
#pragma once

#include <optional>

#include "protocol/framer.hpp"
#include "proxy/session/session.hpp"

namespace postern::proxy {

/// Whether and how strictly one statement is recorded.
enum class AuditRigor : std::uint8_t {
  kNone,    ///< no [audit]
  kBatch,   ///< nobody waits
  kIntent,  ///< its intent is durable before its first row (reads under strict-write)
  kStrict,  ///< intent before forwarding or first row, outcome before CommandComplete
};

/// Records login or its failure, and the end of a session.
Task<void> record_login(Session* session, const Error* failure);
Task<void> record_end(Session* session);

/// Records a command of the console. ok() without [audit]; kAuditUnavailable where the log cannot
/// take it: the command must not be carried out then.
Task<Status> record_command(Session* session, std::string command);

/// Statements are recorded: open_intents() has something to do.
inline bool records(const Session& session) {
  return session.context->runtime->audit != nullptr;
}

/// Where an execution goes, for its records.
void note_node(const Session& session, const ServerLink& link, Execution* execution);

/// Opens the intents of an execution's statements. Waits while the log's queue is full; where the
/// log has failed the configured policy decides: kAuditUnavailable refuses the statement.
Prompt<Status> open_intents(Session* session, Execution* execution);

/// Records what was refused.
Task<Status> record_refusal(Session* session, std::shared_ptr<const AnalysedText> analysed,
                            Error error, bool observed);

/// Whether the execution must wait before its statements may be forwarded; the record to wait for.
std::optional<std::uint64_t> forward_gate(const Session& session, const Execution& execution);
/// The same before the first row of the current statement.
std::optional<std::uint64_t> row_gate(const Session& session, const Execution& execution);
/// Ends every statement of the link's units that has no outcome yet.
void close_open_executions(Session* session, ServerLink* link, const Error& error);

/// The server answered the current statement: records its outcome, once, and says which record has
/// to be durable before the client hears of it. kAuditBusy: wait for room and ask again. Another
/// error where the log has failed and the policy does not let accesses pass unrecorded.
Result<std::optional<std::uint64_t>> settle(Session* session, Unit& unit,
                                            const protocol::Frame& frame);

/// Closes what is left of an execution: nothing more will happen to it.
void end_execution(Session* session, Execution& execution, audit::State state);

/// Until the log took something from its queue, or failed.
Task<void> room_in_log(Session* session);

/// Until the record is on disk. kAuditUnavailable where the log fails meanwhile.
Task<Status> wait_durable(Session* session, std::uint64_t index);

}  // namespace postern::proxy
