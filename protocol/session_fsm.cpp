#include "protocol/session_fsm.hpp"

#include "base/bytes.hpp"
#include "protocol/cursor.hpp"

namespace postern::protocol {
namespace {

using Verdict = SessionFsm::Verdict;

Error illegal(FrontendType type) {
  const char byte = static_cast<char>(type);
  return violation("message type 0x" + to_hex(ByteView(&byte, 1)) + " is not allowed now");
}

bool is_extended(FrontendType type) {
  switch (type) {
    case FrontendType::kParse:
    case FrontendType::kBind:
    case FrontendType::kDescribe:
    case FrontendType::kExecute:
    case FrontendType::kClose:
      return true;
    default:
      return false;
  }
}

}  // namespace

Result<Verdict> SessionFsm::on_frontend(FrontendType type) {
  switch (type) {
    case FrontendType::kTerminate:
      return Verdict::kTerminate;
    case FrontendType::kPassword:
      return illegal(type);
    case FrontendType::kCopyData:
    case FrontendType::kCopyDone:
    case FrontendType::kCopyFail:
      return on_copy_message(type);
    default:
      break;
  }
  if (state_ == State::kCopyIn) {
    // The server ignores Flush and Sync while it awaits data, and fails the COPY on all else.
    const bool ignored = type == FrontendType::kFlush || type == FrontendType::kSync;
    if (!ignored) return illegal(type);
    return Verdict::kDiscard;
  }
  if (type == FrontendType::kSync) {
    state_ = State::kIdle;
    return Verdict::kAccept;
  }
  if (state_ == State::kSkip) return Verdict::kDiscard;
  if (is_extended(type)) {
    state_ = State::kBatch;
  } else if (type != FrontendType::kFlush) {
    state_ = State::kIdle;  // Query and FunctionCall end an open batch
  }
  return Verdict::kAccept;
}

// Outside COPY these three are read and dropped: the client may not know yet that COPY failed.
Result<Verdict> SessionFsm::on_copy_message(FrontendType type) {
  if (state_ != State::kCopyIn) return Verdict::kDiscard;
  if (type != FrontendType::kCopyData) state_ = after_copy_;
  return Verdict::kAccept;
}

void SessionFsm::on_copy_in() {
  after_copy_ = state_ == State::kBatch ? State::kBatch : State::kIdle;
  state_ = State::kCopyIn;
}

void SessionFsm::on_error(bool skipping) {
  if (skipping) {
    state_ = State::kSkip;
  } else if (state_ == State::kCopyIn) {
    state_ = after_copy_;
  }
}

}  // namespace postern::protocol
