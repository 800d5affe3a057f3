// Which messages a client may send when, after login (protocol.sgml, "Message Flow";
// src/backend/tcop/postgres.c, SocketBackend; src/backend/commands/copyfromparse.c).
#pragma once

#include <cstdint>

#include "base/result.hpp"
#include "protocol/wire.hpp"

namespace postern::protocol {

/// Follows one client session. It sees every client message in order, and of the server's replies
/// those that change what the client may do. Not for use from several threads at once.
class SessionFsm {
 public:
  enum class State : std::uint8_t {
    kIdle,    ///< between batches
    kBatch,   ///< extended messages since the last Sync
    kCopyIn,  ///< the server awaits CopyData
    kSkip,    ///< after an error in a batch: the server reads on to Sync
  };
  enum class Verdict : std::uint8_t {
    kAccept,     ///< handle it
    kDiscard,    ///< PostgreSQL reads and ignores it; so do we
    kTerminate,  ///< the client says goodbye
  };

  /// kProtocolViolation (FATAL) for a message PostgreSQL does not take in this state.
  Result<Verdict> on_frontend(FrontendType type);

  /// CopyInResponse went to the client.
  void on_copy_in();
  /// ErrorResponse went to the client. `skipping`: the failed message belongs to an extended batch
  /// whose Sync was not received yet (ReplyQueue::skipping, or a local refusal in a batch).
  void on_error(bool skipping);

  [[nodiscard]] State state() const { return state_; }

 private:
  Result<Verdict> on_copy_message(FrontendType type);

  State state_ = State::kIdle;
  State after_copy_ = State::kIdle;  // kIdle or kBatch: what CopyDone and CopyFail return to
};

}  // namespace postern::protocol
