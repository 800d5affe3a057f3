#include "proxy/session/forwarding.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/codes/audit.hpp"
#include "base/codes/session.hpp"
#include "base/codes/wall.hpp"
#include "base/codes/wire.hpp"
#include "protocol/error_message.hpp"
#include "protocol/rows.hpp"
#include "protocol/session_setup.hpp"
#include "proxy/session/audit_trail.hpp"
#include "proxy/session/copy_insert.hpp"
#include "proxy/session/error_shape.hpp"
#include "proxy/session/link.hpp"
#include "proxy/session/names.hpp"
#include "proxy/session/publish.hpp"
#include "proxy/session/retry.hpp"
#include "proxy/session/rows.hpp"
#include "proxy/session/statement_names.hpp"
#include "proxy/session/tracking.hpp"
#include "proxy/sinks/log.hpp"

namespace postern::proxy {
namespace {

using protocol::BackendType;
using protocol::Frame;

void pass(Session* session, const Frame& frame) {
  session->out.pending().add_view(frame.whole);
}

// The analysed text and statement whose rows a unit's description announces.
const AnalysedText* analysed_of(const Unit& unit) {
  if (unit.execution != nullptr) return unit.execution->analysed.get();
  return unit.statement != nullptr ? unit.statement->analysed.get() : nullptr;
}

void adopt_outputs(Unit& unit) {
  if (unit.execution == nullptr) return;
  Execution& execution = *unit.execution;
  const auto* decided = execution.analysed->decided(execution.index);
  execution.outputs.clear();
  if (decided != nullptr) execution.outputs = decided->outputs;
  execution.rows_checked = true;
}

Status forward_row_description(Session* session, Unit& unit, const Frame& frame) {
  const AnalysedText* analysed = analysed_of(unit);
  bool rewritten = false;
  if (analysed != nullptr) {
    const std::size_t index = unit.execution != nullptr ? unit.execution->index : 0;
    Bytes message;
    POSTERN_ASSIGN(rewritten, describe_rows(*analysed, index, frame.body, message));
    if (rewritten) session->out.pending().own().append(message);
    if (unit.statement != nullptr) unit.statement->described = true;
    adopt_outputs(unit);
  }
  if (unit.execution != nullptr) collect_description(*unit.execution, frame);
  if (unit.fill != nullptr) unit.fill->add_description(frame.whole);
  if (!rewritten) pass(session, frame);
  return ok();
}

Status forward_parameters(Session* session, Unit& unit, const Frame& frame) {
  bool rewritten = false;
  Bytes message;
  if (unit.statement != nullptr) {
    POSTERN_ASSIGN(rewritten, describe_parameters(*unit.statement, frame.body, message));
  }
  if (withhold_parameters(session, unit, rewritten ? ByteView(message) : frame.whole)) return ok();
  if (!rewritten) {
    pass(session, frame);
  } else {
    session->out.pending().own().append(message);
  }
  return ok();
}

Status forward_row(Session* session, Unit& unit, const Frame& frame) {
  if (unit.execution == nullptr) return make_error(pst::kServerProtocol, "a row out of turn");
  Execution& execution = *unit.execution;
  const bool checked = execution.rows_checked || execution.analysed->decision == nullptr ||
                       !checks_columns(*execution.analysed, execution.index);
  if (!checked) return make_error(pst::kColumnCheckFailed, "rows that nobody described");
  ++execution.rows;
  execution.bytes += frame.whole.size();
  collect_row(execution, frame);
  if (execution.outputs.empty()) {
    pass(session, frame);
    return ok();
  }
  if (execution.outputs.front().action == policy::OutputAction::kPlan) {
    return append_plan_row(frame.body, session->out.pending().own());
  }
  return rewrite_row(session, execution, frame.body, session->out.pending().own());
}

std::uint32_t parse_position(ByteView text) {
  std::uint32_t position = 0;
  std::from_chars(text.data(), text.data() + text.size(), position);
  return position;
}

const SplicedText* spliced_of(const Unit& unit) {
  if (unit.execution != nullptr && unit.execution->spliced) return &*unit.execution->spliced;
  if (unit.statement != nullptr && unit.statement->spliced) return &*unit.statement->spliced;
  return nullptr;
}

// The statement prepared by message that a text names.
const PreparedStatement* named_by(const Unit& unit) {
  return unit.execution != nullptr ? unit.execution->named.get() : nullptr;
}

}  // namespace

namespace {

// By Postern's clock the context is good, by the server's it is not.
bool clocks_differ(const Session& session, const Frame& frame) {
  const ServerLink* link = session.reading != nullptr ? session.reading : session.primary.get();
  if (link == nullptr || !context_holds(*link)) return false;
  const auto fields = protocol::ErrorFields::decode(frame.body);
  return fields && fields->get(protocol::kFieldSqlstate) == pst_info(pst::kContextExpired).sqlstate;
}

// Somebody tampered with the connection's context, or it has come to an end: nobody else gets it.
void doubt_context(ServerLink* link, const Frame& frame) {
  const auto fields = protocol::ErrorFields::decode(frame.body);
  if (!fields) return;
  const auto sqlstate = fields->get(protocol::kFieldSqlstate);
  link->mixed = link->mixed || sqlstate == pst_info(pst::kContextInvalid).sqlstate ||
                sqlstate == pst_info(pst::kContextExpired).sqlstate;
}

}  // namespace

Status forward_error(Session* session, Unit& unit, const Frame& frame) {
  Bytes& out = session->out.pending().own();
  if (unit.execution != nullptr) abandon_fill(*unit.execution);
  if (unit.refusal) {
    protocol::append_error(out, *unit.refusal);
    return ok();
  }
  if (clocks_differ(*session, frame)) {
    const Error skew = make_error(pst::kClockSkew);
    log_failure("clock_skew", skew, {{"session", session->id}});
    protocol::append_error(out, skew);
    return ok();
  }
  if (const PreparedStatement* named = named_by(unit); named != nullptr) {
    // The server said before why it lacks what this text names.
    if (!named->unprepared.empty()) {
      out.append(named->unprepared);
      return ok();
    }
  }
  const SplicedText* spliced = spliced_of(unit);
  const bool ours = session->copying != nullptr && unit.execution != nullptr &&
                    session->copying->execution() == unit.execution && session->copying->errs();
  const bool shaped = !ours && shapes_messages(*session);
  if (spliced == nullptr && !shaped && !session->pooled) {
    pass(session, frame);
    return ok();
  }
  if (spliced == nullptr && !session->pooled) return append_shaped(frame, out);
  POSTERN_ASSIGN(auto fields, protocol::ErrorFields::decode(frame.body));
  if (shaped) std::erase_if(fields.fields, [](const auto& f) { return tells_of_rows(f.first); });
  std::string position;
  std::string text;
  for (auto& [code, value] : fields.fields) {
    if (code == protocol::kFieldPosition && spliced != nullptr) {
      position = std::to_string(spliced->original_position(parse_position(value)));
      value = position;
    } else if (code == protocol::kFieldMessage && session->pooled) {
      text = with_client_names(*session, unit, value);
      value = text;
    }
  }
  return fields.encode(BackendType::kErrorResponse, out);
}

namespace {

// After a FATAL or PANIC the server closes: the client has heard why.
bool is_last_word(const Frame& frame) {
  const auto fields = protocol::ErrorFields::decode(frame.body);
  if (!fields) return false;
  const auto severity = fields->get(protocol::kFieldSeverityPlain);
  return severity && (*severity == "FATAL" || *severity == "PANIC");
}

Status forward_complete(Session* session, ServerLink* link, Unit& unit, const Frame& frame) {
  POSTERN_ASSIGN(const auto complete, protocol::CommandComplete::decode(frame.body));
  if (unit.execution != nullptr) {
    track_success(session, link, *unit.execution);
    collect_complete(session, *unit.execution, complete.tag);
    next_statement(*unit.execution);
    take_named_tag(session, *unit.execution, complete.tag);
    if (unit.execution->deallocates) forget_statement(session, link, *unit.execution->named);
  }
  on_command_tag(session, link, complete.tag);
  pass(session, frame);
  return ok();
}

Status forward_ready(Session* session, ServerLink* link, const Unit& unit, const Frame& frame) {
  on_ready(session, link, frame.body);
  session->notices = 0;
  if (withhold_ready(session, link, unit, frame)) return ok();
  const bool open = frame.body != "I";
  if (open && session->per_statement) return make_error(pst::kTransactionInStatementMode);
  pass(session, frame);
  return ok();
}

// A session tells its own notifications by the process id it was given at login.
void pass_notification(Session* session, const ServerLink& link, const Frame& frame) {
  const bool own = frame.body.size() > sizeof(std::uint32_t) &&
                   load_be32(frame.body.data()) == link.facts().backend_pid;
  if (!own || session->process_id == link.facts().backend_pid) return pass(session, frame);
  Bytes& out = session->out.pending().own();
  const std::size_t at = out.size() + (frame.whole.size() - frame.body.size());
  out.append(frame.whole);
  store_be32(out.data() + at, session->process_id);
}

bool contains_folded(std::string_view text, std::string_view word) {
  return std::search(text.begin(), text.end(), word.begin(), word.end(),
                     [](char c, char w) { return SettingNameLess::fold(c) == w; }) != text.end();
}

// Older servers report while the statement runs, others in front of ReadyForQuery.
bool may_have_reset(const Session& session, ServerLink* link) {
  if (session.reset_done) return true;
  const Execution* under_way = nullptr;
  link->each_unit([&](const Unit& unit) {
    if (under_way == nullptr) under_way = unit.execution.get();
  });
  if (under_way == nullptr) return false;
  const std::string& text = under_way->analysed->text;
  return contains_folded(text, "reset") || contains_folded(text, "discard");
}

// What a RESET or DISCARD ALL leaves on a pooled connection is none's startup; the session's own is
// set again in front of its next message. It is what the client hears of.
std::optional<ByteView> startup_value(Session* session, ServerLink* link,
                                      const protocol::ParameterStatus& status) {
  const auto own = session->greeted.find(status.name);
  if (own == session->greeted.end() || !may_have_reset(*session, link)) return std::nullopt;
  const auto fresh = session->database->fresh_session(session->identity.upstream_user);
  if (fresh == nullptr || fresh->parameters.find(status.name) != status.value) return std::nullopt;
  return own->second;
}

// True: the client has to hear of it.
Result<bool> on_parameter_status(Session* session, ServerLink* link, const Frame& frame) {
  POSTERN_ASSIGN(const auto status, protocol::ParameterStatus::decode(frame.body));
  POSTERN_TRY(on_parameter(session, link, status.name, status.value));
  if (link != session->primary.get()) return false;
  // While settings are brought along, values come and go that the client never asked for.
  if (link->awaits(Internal::kSettings)) return false;
  const auto own = startup_value(session, link, status);
  const ByteView shown = own.value_or(status.value);
  const bool news = session->reported.set(status.name, shown);
  if (own && news) {
    POSTERN_TRY(
        (protocol::ParameterStatus{status.name, shown}.encode(session->out.pending().own())));
    return false;
  }
  return news || !session->pooled;
}

}  // namespace

bool needs_whole(const Session&, const Unit& unit) {
  return unit.execution != nullptr &&
         (!unit.execution->outputs.empty() || unit.execution->fill != nullptr ||
          !unit.execution->rows_checked);
}

void count_streamed(Unit& unit, BackendType type, std::size_t size) {
  if (unit.execution == nullptr) return;
  if (type == BackendType::kDataRow) ++unit.execution->rows;
  unit.execution->bytes += size;
}

Result<std::optional<Pause>> hold_back(Session* session, ServerLink* link, Unit& unit,
                                       const Frame& frame) {
  using Answer = std::optional<Pause>;
  if (frame.backend() == BackendType::kReadyForQuery) {
    if (link != session->primary.get() || !must_publish(*session, unit, frame)) return Answer();
    return Answer(Pause{Pause::Kind::kPublish, 0, unit.ready_number});
  }
  if (unit.execution == nullptr) return Answer();
  std::optional<std::uint64_t> index;
  switch (frame.backend()) {
    case BackendType::kRowDescription:
    case BackendType::kDataRow:
    case BackendType::kCopyOutResponse:
      index = row_gate(*session, *unit.execution);
      break;
    case BackendType::kCommandComplete:
    case BackendType::kEmptyQueryResponse:
    case BackendType::kPortalSuspended:
    case BackendType::kErrorResponse: {
      auto settled = settle(session, unit, frame);
      const bool busy = !settled && settled.error().code == pst::kAuditBusy;
      if (busy) return Answer(Pause{Pause::Kind::kAuditRoom, 0, 0});
      if (!settled) return std::move(settled).error();
      index = *settled;
      break;
    }
    default:
      break;
  }
  return index ? Answer(Pause{Pause::Kind::kAudit, 0, *index}) : Answer();
}

Status forward(Session* session, ServerLink* link, Unit& unit, const Frame& frame) {
  if (frame.backend() != BackendType::kErrorResponse) release_parameters(session, unit);
  switch (frame.backend()) {
    case BackendType::kRowDescription:
      return forward_row_description(session, unit, frame);
    case BackendType::kParameterDescription:
      return forward_parameters(session, unit, frame);
    case BackendType::kDataRow:
      return forward_row(session, unit, frame);
    case BackendType::kCommandComplete:
      return forward_complete(session, link, unit, frame);
    case BackendType::kErrorResponse: {
      POSTERN_ASSIGN(const bool withheld, withhold_error(session, link, unit, frame));
      if (withheld) return ok();
      release_parameters(session, unit);
      session->statistics.server_error(frame.body);
      doubt_context(link, frame);
      POSTERN_TRY(forward_error(session, unit, frame));
      if (link == session->primary.get() && is_last_word(frame)) session->ending = true;
      session->path_due = session->path_due || session->path_touched;
      on_failed_statement(session, link, unit);
      return ok();
    }
    case BackendType::kNoData:
      if (unit.statement != nullptr) unit.statement->described = true;
      adopt_outputs(unit);
      break;
    case BackendType::kEmptyQueryResponse:
      if (unit.execution != nullptr) next_statement(*unit.execution);
      break;
    case BackendType::kPortalSuspended:
      if (unit.execution != nullptr) abandon_fill(*unit.execution);
      break;
    case BackendType::kCopyInResponse:
      session->fsm.on_copy_in();
      link->drained.set();
      break;
    case BackendType::kReadyForQuery:
      return forward_ready(session, link, unit, frame);
    default:
      break;
  }
  pass(session, frame);
  return ok();
}

Status on_asynchronous(Session* session, ServerLink* link, const Frame& frame) {
  bool news = link == session->primary.get();
  if (frame.backend() == BackendType::kParameterStatus) {
    POSTERN_ASSIGN(news, on_parameter_status(session, link, frame));
  }
  const bool notice = frame.backend() == BackendType::kNoticeResponse;
  if (notice && link->answers_us()) news = false;
  link->each_unit([](Unit& unit) {
    if (unit.execution != nullptr) abandon_fill(*unit.execution);
  });
  // What concerns a connection borrowed for one read is none of the client's business.
  if (!news) return ok();
  if (notice) return pass_notice(session, frame);
  if (frame.backend() == BackendType::kNotificationResponse) {
    pass_notification(session, *link, frame);
  } else {
    pass(session, frame);
  }
  return ok();
}

Status on_server_closing(Session* session, ServerLink* link, const Frame& frame) {
  if (link == session->primary.get()) {
    if (shapes_messages(*session)) {
      POSTERN_TRY(append_shaped(frame, session->out.pending().own()));
    } else {
      pass(session, frame);
    }
    session->ending = true;
  }
  return ok();
}

}  // namespace postern::proxy
