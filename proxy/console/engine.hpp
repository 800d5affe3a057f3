// The console's side of the wire protocol, without I/O: messages in, replies out, and in between
// the commands that the caller has to run.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "protocol/extended.hpp"
#include "protocol/framer.hpp"
#include "protocol/session_fsm.hpp"
#include "proxy/console/reply.hpp"

namespace postern::proxy::console {

/// Limits of one console session.
inline constexpr std::size_t kMaxStatements = 100;
inline constexpr std::size_t kMaxPortals = 100;

/// Simple and extended protocol over the commands of the table. Not for several threads.
///
///     take(frame) -> nothing, or a command -> run it -> answer(result) -> the next command, …
///
/// Every command of a Query text or an Execute is checked against the role before it is handed out:
/// what take() and answer() return may be run.
class Engine {
 public:
  explicit Engine(Role role) : role_(role) {}

  /// One message of the client. Replies are appended to `out`. A command: run it, then answer().
  /// kProtocolViolation and malformed messages end the session.
  Result<std::optional<Command>> take(const protocol::Frame& frame, Bytes& out);
  /// The result of the command handed out last; perhaps the next one of the same Query.
  Result<std::optional<Command>> answer(Result<Reply> result, Bytes& out);

  /// The role of what follows: the configuration may have changed.
  void set_role(Role role) { role_ = role; }
  /// A command that the role was refused since the last call.
  std::optional<Verb> take_denied() { return std::exchange(denied_, std::nullopt); }

  /// The client said goodbye.
  [[nodiscard]] bool ended() const { return ended_; }

 private:
  struct Statement {
    std::optional<Command> command;  ///< none: an empty text
  };
  struct Portal {
    Statement statement;
    std::vector<std::int16_t> formats;  ///< one for each column
    std::optional<Reply> reply;         ///< once executed
    std::size_t sent = 0;               ///< rows of it
  };

  Result<std::optional<Command>> take_query(ByteView text, Bytes& out);
  Result<std::optional<Command>> next_of_query(Bytes& out);
  Result<std::optional<Command>> take_extended(const protocol::Frame& frame, Bytes& out);
  Status parse(const protocol::Frame& frame, Bytes& out);
  Status bind(const protocol::Frame& frame, Bytes& out);
  Status describe(const protocol::Frame& frame, Bytes& out);
  Status close(const protocol::Frame& frame, Bytes& out);
  Result<std::optional<Command>> execute(const protocol::Frame& frame, Bytes& out);
  Status send_rows(Portal& portal, Bytes& out);
  Status send_simple(const Command& command, const Reply& reply, Bytes& out);

  Status admit(const Command& command);
  void apply(const Command& command);
  void ready(Bytes& out);
  void fail(const Error& error, Bytes& out, bool in_batch);

  Role role_;
  protocol::SessionFsm fsm_;
  char status_ = 'I';
  bool ended_ = false;
  std::optional<Verb> denied_;
  std::map<std::string, Statement, std::less<>> statements_;
  std::map<std::string, Portal, std::less<>> portals_;
  std::deque<std::string> query_;      ///< statements of a Query not run yet
  std::optional<Command> running_;     ///< handed out
  std::optional<std::string> portal_;  ///< that it belongs to; none: a Query
  std::int32_t max_rows_ = 0;
};

}  // namespace postern::proxy::console
