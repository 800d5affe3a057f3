#include "proxy/session/completion.hpp"

#include <utility>

#include "base/codes/session.hpp"
#include "protocol/error_message.hpp"
#include "protocol/extended.hpp"
#include "protocol/rows.hpp"
#include "proxy/session/audit_trail.hpp"
#include "proxy/session/copy_insert.hpp"
#include "proxy/session/error_shape.hpp"
#include "proxy/session/forwarding.hpp"
#include "proxy/session/names.hpp"
#include "proxy/session/position.hpp"
#include "proxy/session/rows.hpp"
#include "proxy/session/state_following.hpp"
#include "proxy/session/tracking.hpp"

namespace postern::proxy {
namespace {

using protocol::BackendType;
using protocol::Completion;
using protocol::Frame;
using protocol::Request;

bool succeeded(const Completion& completion) {
  return completion.outcome == Completion::Outcome::kDone ||
         completion.outcome == Completion::Outcome::kSynthesise;
}

// What the server would have said to a message that was not sent.
void synthesise(Session* session, Request request) {
  Bytes& out = session->out.pending().own();
  if (request == Request::kParse) protocol::ParseComplete{}.encode(out);
  if (request == Request::kClose) protocol::CloseComplete{}.encode(out);
}

// The one row of arming and disarming must repeat what was asked for, byte for byte.
Status expect_value(Unit& unit, const Frame& frame, ByteView expected) {
  if (frame.backend() == BackendType::kErrorResponse) return make_error(pst::kArmingFailed);
  if (frame.backend() != BackendType::kDataRow) return ok();
  POSTERN_ASSIGN(const auto row, protocol::DataRow::decode(frame.body));
  const bool same = row.values.size() == 1 && row.values[0] == protocol::Value(expected);
  if (!same || unit.answered) return make_error(pst::kArmingFailed);
  unit.answered = true;
  return ok();
}

// A message sent again for the client failed: the client's own would have failed the same way.
Status pass_failure(Session* session, ServerLink* link, Unit& unit, const Frame& frame) {
  if (frame.backend() != BackendType::kErrorResponse) return ok();
  POSTERN_TRY(forward_error(session, unit, frame));
  on_failed_statement(session, link, unit);
  return ok();
}

Status check_description(Unit& unit, const Frame& frame) {
  if (frame.backend() != BackendType::kRowDescription) {
    unit.statement->described = true;
    return ok();
  }
  Bytes unused;
  POSTERN_ASSIGN([[maybe_unused]] const bool rewritten,
                 describe_rows(*unit.statement->analysed, 0, frame.body, unused));
  unit.statement->described = true;
  return ok();
}

// Portals are what the server last confirmed: a Bind that failed or was skipped is undone.
template <typename Map, typename Value>
void conclude_name(Map& names, Map& confirmed, const std::string& name, const Value& value,
                   bool success) {
  const auto known = names.find(name);
  if (success) {
    confirmed.insert_or_assign(name, value);
    // Another may have been sent behind it.
    if (known == names.end()) names.emplace(name, value);
    return;
  }
  if (known == names.end() || known->second != value) return;
  const auto before = confirmed.find(name);
  if (before == confirmed.end()) {
    names.erase(known);
  } else {
    known->second = before->second;
  }
}

void end_parse(Session* session, ServerLink* link, const Unit& unit, Completion::Outcome outcome) {
  if (unit.statement == nullptr) return;
  const bool success =
      outcome == Completion::Outcome::kDone || outcome == Completion::Outcome::kSynthesise;
  // The server drops the unnamed statement before it looks at the text of the next one.
  const bool dropped = unit.statement->name.empty() && outcome == Completion::Outcome::kFailed;
  if (success) session->statistics.server_parsed();
  link->settle_statement(unit.statement->server_name, unit.statement->id, success, dropped);
  if (unit.internal != Internal::kNone) return;
  if (dropped) session->confirmed_statements.erase(unit.statement->name);
  settle_statement(session, unit.statement, success);
}

// A Query ends the unnamed statement, whatever becomes of it; a Close what it names.
void end_ending(Session* session, ServerLink* link, const Unit& unit, Completion::Outcome outcome) {
  const bool query = unit.request == Request::kQuery;
  const bool ended = outcome != Completion::Outcome::kSkipped &&
                     (query || outcome != Completion::Outcome::kFailed);
  const std::string name = unit.statement == nullptr ? "" : unit.statement->name;
  // Under transaction pooling servers keep statements that have names.
  const bool there = query || (unit.statement != nullptr && (name.empty() || !session->pooled));
  if (there) link->settle_end(name, ended);
  settle_end(session, unit.statement, ended);
}

void end_bind(Session* session, const Unit& unit, bool success) {
  if (unit.bound == nullptr) return;
  unit.bound->settled = unit.bound->settled || success;
  conclude_name(session->portals, session->confirmed_portals, unit.bound->name, unit.bound,
                success);
}

}  // namespace

Status on_internal(Session* session, ServerLink* link, Unit& unit, const Frame& frame) {
  switch (unit.internal) {
    case Internal::kArm:
      return expect_value(unit, frame, link->context().expected);
    case Internal::kDisarm:
    case Internal::kSwitch:
      return expect_value(unit, frame, "");
    case Internal::kReset:
      if (frame.backend() == BackendType::kErrorResponse) return make_error(pst::kResetFailed);
      return ok();
    case Internal::kPosition:
      return on_position_reply(session, link, frame);
    case Internal::kSearchPath:
      return on_search_path_reply(session, frame);
    case Internal::kPathInBatch:
      POSTERN_TRY(on_search_path_reply(session, frame));
      return pass_failure(session, link, unit, frame);
    case Internal::kSettings:
      return on_settings_reply(frame);
    case Internal::kState:
      return session->state.on_reply(frame);
    case Internal::kReparseText:
      if (frame.backend() == BackendType::kErrorResponse) unit.statement->unprepared = frame.whole;
      return ok();
    case Internal::kCopy:
      return session->copying->on_reply(frame);
    case Internal::kReparse:
      return pass_failure(session, link, unit, frame);
    case Internal::kDescribe:
      if (frame.backend() == BackendType::kErrorResponse) {
        return pass_failure(session, link, unit, frame);
      }
      return check_description(unit, frame);
    case Internal::kRefusal:
    case Internal::kNone:
      return ok();
  }
  return ok();
}

Status on_completion(Session* session, ServerLink* link, const Completion& completion) {
  const Unit unit = link->pop_unit();
  const bool failed = completion.outcome == Completion::Outcome::kFailed;
  if (failed || link->queue().size() == kFewRequests) link->drained.set();
  const bool success = succeeded(completion);
  if (completion.outcome == Completion::Outcome::kSynthesise) synthesise(session, unit.request);
  if (unit.internal == Internal::kSettings) POSTERN_TRY(on_settings_done(session, link));
  if (unit.internal == Internal::kState) on_state_done(session, link);
  switch (unit.request) {
    case Request::kParse:
      end_parse(session, link, unit, completion.outcome);
      break;
    case Request::kQuery:
    case Request::kClose:
      end_ending(session, link, unit, completion.outcome);
      break;
    case Request::kBind:
      end_bind(session, unit, success);
      break;
    case Request::kExecute:
      if (unit.internal == Internal::kArm || unit.internal == Internal::kDisarm) {
        if (!success || !unit.answered) return make_error(pst::kArmingFailed);
      }
      if (unit.internal == Internal::kSwitch && (!success || !unit.answered)) {
        return make_error(pst::kTenantChangeBlocked);
      }
      break;
    default:
      break;
  }
  if (unit.execution != nullptr) {
    if (unit.execution->changes_names) --session->name_changes;
    end_execution(session, *unit.execution, success ? audit::State::kOk : audit::State::kCancelled);
  }
  if (session->pooled && link == session->primary.get()) link->pins.set(session->state.pins());
  return ok();
}

}  // namespace postern::proxy
