#include "proxy/console/engine.hpp"

#include <utility>

#include "base/codes/session.hpp"
#include "base/codes/wire.hpp"
#include "protocol/error_message.hpp"
#include "protocol/rows.hpp"
#include "protocol/simple.hpp"
#include "proxy/console/rows.hpp"

namespace postern::proxy::console {
namespace {

using protocol::FrontendType;
using protocol::SessionFsm;
using Next = std::optional<Command>;

constexpr char kIdle = 'I';
constexpr char kOpen = 'T';
constexpr char kAborted = 'E';

bool ends_block(Verb verb) {
  return verb == Verb::kCommit || verb == Verb::kEnd || verb == Verb::kRollback;
}

Status complete(std::string_view tag, Bytes& out) {
  return protocol::CommandComplete{tag}.encode(out);
}

}  // namespace

Status Engine::admit(const Command& command) {
  if (!permits(role_, row_of(command.verb).needs)) {
    denied_ = command.verb;
    return make_error(pst::kConsoleRights, std::string(row_of(command.verb).words));
  }
  if (status_ == kAborted && !ends_block(command.verb)) return make_error(pst::kConsoleAborted);
  return ok();
}

// What a command does to the session itself.
void Engine::apply(const Command& command) {
  switch (command.verb) {
    case Verb::kBegin:
    case Verb::kStartTransaction:
      status_ = kOpen;
      break;
    case Verb::kCommit:
    case Verb::kEnd:
    case Verb::kRollback:
      status_ = kIdle;
      break;
    case Verb::kDiscardAll:
    case Verb::kDeallocateAll:
      statements_.clear();
      break;
    default:
      break;
  }
}

void Engine::ready(Bytes& out) {
  if (status_ == kIdle) portals_.clear();
  const auto status = static_cast<protocol::TransactionStatus>(status_);
  protocol::ReadyForQuery{status}.encode(out);
}

void Engine::fail(const Error& error, Bytes& out, bool in_batch) {
  protocol::append_error(out, error);
  if (status_ == kOpen) status_ = kAborted;
  fsm_.on_error(in_batch);
}

Result<Next> Engine::take(const protocol::Frame& frame, Bytes& out) {
  POSTERN_ASSIGN(const SessionFsm::Verdict verdict, fsm_.on_frontend(frame.frontend()));
  if (verdict == SessionFsm::Verdict::kTerminate) {
    ended_ = true;
    return Next();
  }
  if (verdict == SessionFsm::Verdict::kDiscard) return Next();
  switch (frame.frontend()) {
    case FrontendType::kQuery: {
      POSTERN_ASSIGN(const auto query, protocol::Query::decode(frame.body));
      return take_query(query.text, out);
    }
    case FrontendType::kSync:
      ready(out);
      return Next();
    case FrontendType::kFlush:
      return Next();
    case FrontendType::kFunctionCall:
      fail(make_error(pst::kFastPathRefused), out, false);
      ready(out);
      return Next();
    default:
      return take_extended(frame, out);
  }
}

Result<Next> Engine::take_query(ByteView text, Bytes& out) {
  // A simple Query ends the unnamed statement and portal, as in PostgreSQL.
  statements_.erase("");
  portals_.erase("");
  query_.clear();
  for (const std::string_view statement : split_statements(text)) query_.emplace_back(statement);
  if (query_.empty()) {
    protocol::EmptyQueryResponse{}.encode(out);
    ready(out);
    return Next();
  }
  return next_of_query(out);
}

Result<Next> Engine::next_of_query(Bytes& out) {
  if (query_.empty()) {
    ready(out);
    return Next();
  }
  const std::string text = std::move(query_.front());
  query_.pop_front();
  Result<Command> command = parse_command(text);
  const Status admitted = command ? admit(*command) : Status(command.error());
  if (!admitted) {
    query_.clear();
    fail(admitted.error(), out, false);
    ready(out);
    return Next();
  }
  running_ = *command;
  portal_.reset();
  return Next(std::move(*command));
}

Status Engine::parse(const protocol::Frame& frame, Bytes& out) {
  POSTERN_ASSIGN(const auto message, protocol::Parse::decode(frame.body));
  const std::string name(message.statement);
  if (!name.empty() && statements_.contains(name)) {
    return make_error(pst::kConsoleDuplicate, "\"" + name + "\"");
  }
  if (statements_.size() >= kMaxStatements && !statements_.contains(name)) {
    return make_error(pst::kConsoleState, "too many prepared statements");
  }
  Statement statement;
  if (!split_statements(message.text).empty()) {
    POSTERN_ASSIGN(statement.command, parse_command(message.text));
    POSTERN_TRY(admit(*statement.command));
  }
  statements_.insert_or_assign(name, std::move(statement));
  protocol::ParseComplete{}.encode(out);
  return ok();
}

Status Engine::bind(const protocol::Frame& frame, Bytes& out) {
  POSTERN_ASSIGN(const auto message, protocol::Bind::decode(frame.body));
  const auto statement = statements_.find(message.statement);
  if (statement == statements_.end()) {
    return make_error(pst::kUnknownStatement, "\"" + std::string(message.statement) + "\"");
  }
  if (!message.values.empty()) return make_error(pst::kConsoleParameters);
  const std::string name(message.portal);
  if (portals_.size() >= kMaxPortals && !portals_.contains(name)) {
    return make_error(pst::kConsoleState, "too many portals");
  }
  Portal portal;
  portal.statement = statement->second;
  const auto& command = portal.statement.command;
  const std::size_t columns = command ? columns_of(command->verb).size() : 0;
  POSTERN_TRY(protocol::check_formats(message.result_formats, columns));
  for (std::size_t i = 0; i < columns; ++i) {
    portal.formats.push_back(protocol::format_of(message.result_formats, i));
  }
  portals_.insert_or_assign(name, std::move(portal));
  protocol::BindComplete{}.encode(out);
  return ok();
}

Status Engine::describe(const protocol::Frame& frame, Bytes& out) {
  POSTERN_ASSIGN(const auto message, protocol::Describe::decode(frame.body));
  if (message.target == protocol::Target::kPortal) {
    const auto portal = portals_.find(message.name);
    if (portal == portals_.end()) return make_error(pst::kUnknownPortal);
    const auto& command = portal->second.statement.command;
    return describe_columns(command ? columns_of(command->verb) : std::span<const Column>(),
                            portal->second.formats, out);
  }
  const auto statement = statements_.find(message.name);
  if (statement == statements_.end()) return make_error(pst::kUnknownStatement);
  POSTERN_TRY(protocol::ParameterDescription{}.encode(out));
  const auto& command = statement->second.command;
  return describe_columns(command ? columns_of(command->verb) : std::span<const Column>(), {}, out);
}

Status Engine::close(const protocol::Frame& frame, Bytes& out) {
  POSTERN_ASSIGN(const auto message, protocol::Close::decode(frame.body));
  if (message.target == protocol::Target::kPortal) {
    portals_.erase(std::string(message.name));
  } else {
    statements_.erase(std::string(message.name));
  }
  protocol::CloseComplete{}.encode(out);
  return ok();
}

Result<Next> Engine::execute(const protocol::Frame& frame, Bytes& out) {
  POSTERN_ASSIGN(const auto message, protocol::Execute::decode(frame.body));
  const auto found = portals_.find(message.portal);
  if (found == portals_.end()) return make_error(pst::kUnknownPortal);
  Portal& portal = found->second;
  max_rows_ = message.max_rows;
  if (!portal.statement.command) {
    protocol::EmptyQueryResponse{}.encode(out);
    return Next();
  }
  if (portal.reply) {
    POSTERN_TRY(send_rows(portal, out));
    return Next();
  }
  // The state may have changed since Parse.
  POSTERN_TRY(admit(*portal.statement.command));
  running_ = portal.statement.command;
  portal_ = found->first;
  return running_;
}

Result<Next> Engine::take_extended(const protocol::Frame& frame, Bytes& out) {
  Result<Next> next = Next();
  Status done = ok();
  switch (frame.frontend()) {
    case FrontendType::kParse:
      done = parse(frame, out);
      break;
    case FrontendType::kBind:
      done = bind(frame, out);
      break;
    case FrontendType::kDescribe:
      done = describe(frame, out);
      break;
    case FrontendType::kClose:
      done = close(frame, out);
      break;
    case FrontendType::kExecute:
      next = execute(frame, out);
      if (!next) done = next.error();
      break;
    default:
      return make_error(pst::kProtocolViolation, "message out of place");
  }
  if (done) return next;
  fail(done.error(), out, true);
  return Next();
}

Status Engine::send_rows(Portal& portal, Bytes& out) {
  const auto columns = columns_of(portal.statement.command->verb);
  const std::vector<Row>& rows = portal.reply->rows;
  const std::size_t left = rows.size() - portal.sent;
  const bool limited = max_rows_ > 0 && static_cast<std::size_t>(max_rows_) < left;
  const std::size_t count = limited ? static_cast<std::size_t>(max_rows_) : left;
  for (std::size_t i = 0; i < count; ++i) {
    POSTERN_TRY(append_row(columns, portal.formats, rows[portal.sent + i], out));
  }
  portal.sent += count;
  if (limited) {
    protocol::PortalSuspended{}.encode(out);
    return ok();
  }
  return complete(portal.reply->tag, out);
}

Status Engine::send_simple(const Command& command, const Reply& reply, Bytes& out) {
  const auto columns = columns_of(command.verb);
  if (!columns.empty()) {
    POSTERN_TRY(describe_columns(columns, {}, out));
    for (const Row& row : reply.rows) POSTERN_TRY(append_row(columns, {}, row, out));
  }
  return complete(reply.tag, out);
}

Result<Next> Engine::answer(Result<Reply> result, Bytes& out) {
  const Command command = *std::exchange(running_, std::nullopt);
  if (!result) {
    query_.clear();
    fail(result.error(), out, portal_.has_value());
    if (!portal_) ready(out);
    return Next();
  }
  // COMMIT of an aborted block is a ROLLBACK.
  if (status_ == kAborted && ends_block(command.verb)) result->tag = "ROLLBACK";
  apply(command);
  if (!portal_) {
    POSTERN_TRY(send_simple(command, *result, out));
    return next_of_query(out);
  }
  Portal& portal = portals_.find(*portal_)->second;
  portal.reply = std::move(*result);
  POSTERN_TRY(send_rows(portal, out));
  return Next();
}

}  // namespace postern::proxy::console
