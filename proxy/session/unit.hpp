// What a session remembers of a client's request between sending it on and the server's reply.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "audit/writer.hpp"
#include "base/secret.hpp"
#include "policy/decision.hpp"
#include "protocol/reply_queue.hpp"
#include "proxy/cache/fill.hpp"
#include "proxy/runtime/protection.hpp"
#include "proxy/session/held_text.hpp"
#include "proxy/session/pooled_state.hpp"
#include "proxy/session/splice.hpp"
#include "proxy/session/state_scan.hpp"
#include "sql/facts.hpp"

namespace postern::proxy {

using Clock = std::chrono::steady_clock;

/// What a text runs of the database's own code: functions, triggers, rules, policies. Nobody looks
/// into it, and it may leave something behind in the server's session. Until it is looked for,
/// there may be anything.
struct CodeBehind {
  bool runs = true;        ///< protected databases: there is such code
  bool moves_path = true;  ///< it may change search_path
  bool copies_in = true;   ///< the text may begin a COPY FROM STDIN
};

/// One text with everything known about it. Immutable; shared by executions of a statement.
struct AnalysedText {
  std::string text;                                  ///< the client's own bytes
  std::shared_ptr<const sql::Facts> facts;           ///< null where the session needs no analysis
  std::shared_ptr<const policy::Decision> decision;  ///< null likewise
  std::shared_ptr<const Protection> protection;      ///< what it was decided under
  std::vector<std::string> search_path;              ///< likewise; empty: not known then
  bool decrypts = true;                              ///< of the principal it was decided for
  bool has_tenant = false;                           ///< likewise
  CodeBehind behind;                                 ///< where there are facts

  [[nodiscard]] const sql::Statement* statement(std::size_t i) const {
    return facts != nullptr && i < facts->statements.size() ? &facts->statements[i] : nullptr;
  }
  [[nodiscard]] const policy::StatementDecision* decided(std::size_t i) const {
    return decision != nullptr && i < decision->statements.size() ? &decision->statements[i]
                                                                  : nullptr;
  }
};

/// A literal of a prepared text that has to be encrypted anew at every Bind: it became the hidden
/// trailing parameter `number`.
struct HiddenParam {
  std::uint16_t number = 0;
  policy::ColumnId column;
  bool operand = false;
  Secret text;  ///< the literal's value
};

/// A statement prepared by the client, by protocol message.
struct PreparedStatement {
  std::uint64_t id = 0;     ///< tells re-Parses of one name apart (statement_names.hpp)
  std::string name;         ///< the client's
  std::string server_name;  ///< the same, but under transaction pooling
  std::shared_ptr<const AnalysedText> analysed;
  std::string server_text;             ///< as sent: hidden parameters in place of literals
  std::vector<Oid> client_types;       ///< as the client declared them
  std::vector<Oid> server_types;       ///< as sent
  std::vector<HiddenParam> hidden;     ///< ascending by number
  std::optional<SplicedText> spliced;  ///< set where server_text differs
  StateScan scan;                      ///< filled under transaction pooling
  PlanningKey planned_under;           ///< likewise: the settings its server_name stands for
  std::uint64_t shared_id = 0;         ///< likewise: `id` of the one made under those
  std::uint64_t own_id = 0;            ///< likewise: of its client's own, made under others
  PlanningKey own_under;               ///< the settings its client's own `id` stands for, if any
  /// The text is a PREPARE, DEALLOCATE or EXECUTE of this one, likewise.
  std::shared_ptr<PreparedStatement> named;
  bool deallocates = false;    ///< it is the second of these
  bool names_another = false;  ///< the text is such a one, whatever the name means
  /// The server's error where it could not be prepared again for a text that names it.
  Bytes unprepared;
  bool described = false;  ///< its RowDescription was checked against the decision
  /// What a Close, or a Query under the unnamed one, leaves under the name: no statement
  /// (names.hpp).
  bool gone = false;
  std::uint64_t sent_in = 0;  ///< Session::ready_sent when it was sent under its name
  bool settled = false;       ///< the server confirmed it, or cannot but do so
  HeldText held;              ///< empty for the unnamed one
};

/// A portal made by the client's Bind.
struct Portal {
  std::string name;
  std::shared_ptr<PreparedStatement> statement;
  std::vector<std::int16_t> result_formats = {};
  std::uint64_t sent_in = 0;  ///< Session::ready_sent when its Bind was sent
  bool settled = false;       ///< the server made it
  /// The newer rules under which its text was found to mean and need the same as when it was bound.
  std::shared_ptr<const Protection> stands_under = nullptr;
};

/// One Query or one Execute under way: what the replies need to be transformed, counted, recorded.
struct Execution {
  std::shared_ptr<const AnalysedText> analysed;
  std::size_t index = 0;  ///< the statement of a Query whose replies are coming now
  std::vector<std::int16_t> result_formats;  ///< of an Execute; Query: all text
  std::optional<SplicedText> spliced;        ///< where the text was changed
  Clock::time_point started;
  std::uint64_t rows = 0;
  std::uint64_t bytes = 0;
  std::vector<std::optional<audit::Ticket>> tickets;  ///< parallel to the statements
  std::vector<policy::OutputOp> outputs;              ///< operations of the rows now coming
  bool rows_checked = false;                          ///< RowDescription or Describe was checked
  std::string node;                                   ///< for the access log, where there is one
  std::string_view route = "primary";
  std::shared_ptr<CacheFill> fill;           ///< collects the answer for the cache
  std::size_t settled = 0;                   ///< statements whose outcome was recorded
  std::shared_ptr<PreparedStatement> named;  ///< by this PREPARE, DEALLOCATE or EXECUTE
  bool deallocates = false;                  ///< it is the second of these
  bool changes_names = false;                ///< Session::name_changes counts it
  std::size_t prepared = 0;     ///< statements of the text that PREPARE, completed so far
  std::size_t deallocated = 0;  ///< likewise DEALLOCATE
};

/// Messages Postern sends for itself, and how their replies are read.
enum class Internal : std::uint8_t {
  kNone,
  kArm,          ///< set_config of the tenant context
  kReset,        ///< DISCARD ALL at release
  kDisarm,       ///< empties and confirms the context
  kSwitch,       ///< the same in front of another tenant's
  kRefusal,      ///< always fails; its error is replaced by ours
  kPosition,     ///< WAL position behind a commit
  kReparse,      ///< statement prepared again on this connection
  kReparseText,  ///< the same in front of a Query that names it: its error is the Query's
  kSearchPath,   ///< the search_path after a setting changed
  kPathInBatch,  ///< the same within the client's batch: its error is the batch's
  kDescribe,     ///< Describe the client left out, for the check of its columns
  kSettings,     ///< the session's settings, on a connection that has others
  kState,        ///< the question what the session left behind
  kCopy,         ///< part of a COPY whose rows are inserted here
};

/// One entry of a link's reply queue.
struct Unit {
  protocol::Request request = protocol::Request::kQuery;
  Internal internal = Internal::kNone;
  std::shared_ptr<Execution> execution;          ///< Query, Execute, and the portal's Describe
  std::shared_ptr<PreparedStatement> statement;  ///< Parse, Describe, kReparse; what a Close leaves
  std::unique_ptr<const Error> refusal;          ///< kRefusal and synthesised refusals
  std::shared_ptr<CacheFill> fill;               ///< Describe of a read that is being cached
  std::shared_ptr<Portal> bound;                 ///< Bind: the portal it makes
  std::uint64_t ready_number = 0;                ///< Query and Sync: number of its ReadyForQuery
  bool answered = false;                         ///< kArm, kDisarm: the expected row was seen
};

}  // namespace postern::proxy
