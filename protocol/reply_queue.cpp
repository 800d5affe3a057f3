#include "protocol/reply_queue.hpp"

#include "base/codes/wire.hpp"
#include "protocol/rows.hpp"

namespace postern::protocol {
namespace {

/// Once this many finished entries lie in front of the head, the rest moves forward.
constexpr std::size_t kCompactAt = 1024;

bool is_asynchronous(BackendType type) {
  return type == BackendType::kNoticeResponse || type == BackendType::kParameterStatus ||
         type == BackendType::kNotificationResponse;
}

/// Messages the server never answers; their entries only mark a position.
bool is_marker(Request request) {
  return request == Request::kFlush || request == Request::kCopyDone ||
         request == Request::kCopyFail;
}

bool ends_copy(Request request) {
  return request == Request::kCopyDone || request == Request::kCopyFail;
}

/// After an error in one of these the server goes on with ReadyForQuery instead of skipping.
bool ends_with_ready(Request request) {
  return request == Request::kQuery || request == Request::kFunctionCall ||
         request == Request::kSync;
}

bool sent(const Expectation& expectation) {
  return expectation.disposition != Disposition::kSynthesise;
}

Error out_of_step(BackendType type) {
  const char byte = static_cast<char>(type);
  return make_error(pst::kServerProtocol,
                    "message type 0x" + to_hex(ByteView(&byte, 1)) + " was not expected");
}

Disposal dispose(const Expectation& expectation) {
  const bool forward = expectation.disposition == Disposition::kForward;
  return {forward ? Disposal::Action::kForward : Disposal::Action::kSwallow, false,
          expectation.request, expectation.tag};
}

}  // namespace

Status ReplyQueue::push(const Expectation& expectation) {
  if (size() >= limit_) return make_error(pst::kPipelineTooLong);
  entries_.push_back({expectation, initial_progress(expectation)});
  return ok();
}

// What the server will do with a message depends on what it is in the middle of.
ReplyQueue::Progress ReplyQueue::initial_progress(const Expectation& expectation) {
  const Request request = expectation.request;
  if (skipping_) {
    if (request != Request::kSync || !sent(expectation)) return Progress::kSkipped;
    skipping_ = false;
  }
  if (!sent(expectation)) return Progress::kPending;
  if (copy_open_) {
    if (request == Request::kFlush) return Progress::kSkipped;
    if (request == Request::kSync) {
      sync_ignored_ = true;
      return Progress::kSkipped;
    }
    copy_open_ = false;  // ended by CopyDone or CopyFail, or broken by anything else
  }
  if (ends_with_ready(request)) {
    unsynced_ = false;
  } else if (!is_marker(request)) {
    unsynced_ = true;
  }
  return Progress::kPending;
}

// Index of the entry the server works on; size of the vector where there is none.
std::size_t ReplyQueue::awaited() const {
  std::size_t at = head_;
  for (; at < entries_.size(); ++at) {
    const Slot& slot = entries_[at];
    const bool over = slot.progress >= Progress::kDone;
    if (!over && sent(slot.expectation) && !is_marker(slot.expectation.request)) break;
  }
  return at;
}

Result<Disposal> ReplyQueue::on_backend(BackendType type, ByteView body) {
  if (is_asynchronous(type)) {
    return Disposal{Disposal::Action::kForward, true, Request::kQuery, 0};
  }
  if (type == BackendType::kErrorResponse) return on_error();
  const std::size_t at = awaited();
  if (at == entries_.size()) return out_of_step(type);
  if (type == BackendType::kReadyForQuery) return on_ready(entries_[at], body);
  if (!accept(at, type)) return out_of_step(type);
  return dispose(entries_[at].expectation);
}

Result<Disposal> ReplyQueue::on_ready(Slot& slot, ByteView body) {
  const Request request = slot.expectation.request;
  const Progress due = request == Request::kQuery          ? Progress::kResultSeen
                       : request == Request::kFunctionCall ? Progress::kDescribed
                                                           : Progress::kPending;
  const bool failed = slot.progress == Progress::kError;
  if (!ends_with_ready(request) || !(failed || slot.progress == due)) {
    return out_of_step(BackendType::kReadyForQuery);
  }
  const Result<ReadyForQuery> ready = ReadyForQuery::decode(body);
  if (!ready) return make_error(pst::kServerProtocol, "invalid transaction status");
  status_ = ready->status;
  slot.progress = failed ? Progress::kFailed : Progress::kDone;
  return dispose(slot.expectation);
}

bool ReplyQueue::accept(std::size_t at, BackendType type) {
  Progress& progress = entries_[at].progress;
  const auto one = [&](bool expected, Progress next) {
    if (expected) progress = next;
    return expected;
  };
  const bool description = type == BackendType::kRowDescription || type == BackendType::kNoData;
  switch (entries_[at].expectation.request) {
    case Request::kParse:
      return one(type == BackendType::kParseComplete, Progress::kDone);
    case Request::kBind:
      return one(type == BackendType::kBindComplete, Progress::kDone);
    case Request::kClose:
      return one(type == BackendType::kCloseComplete, Progress::kDone);
    case Request::kDescribePortal:
      return one(description, Progress::kDone);
    case Request::kDescribeStatement:
      if (progress == Progress::kDescribed) return one(description, Progress::kDone);
      return one(type == BackendType::kParameterDescription, Progress::kDescribed);
    case Request::kFunctionCall:
      return one(progress == Progress::kPending && type == BackendType::kFunctionCallResponse,
                 Progress::kDescribed);
    case Request::kExecute:
      return accept_execute(at, type);
    case Request::kQuery:
      return accept_query(at, type);
    default:
      return false;
  }
}

bool ReplyQueue::accept_execute(std::size_t at, BackendType type) {
  Progress& progress = entries_[at].progress;
  if (progress != Progress::kPending && progress != Progress::kRows) {
    return accept_copy(at, type, Progress::kDone);
  }
  switch (type) {
    case BackendType::kDataRow:
      progress = Progress::kRows;
      return true;
    case BackendType::kCommandComplete:
    case BackendType::kPortalSuspended:
      progress = Progress::kDone;
      return true;
    case BackendType::kEmptyQueryResponse:
      if (progress != Progress::kPending) return false;
      progress = Progress::kDone;
      return true;
    default:
      return progress == Progress::kPending && accept_copy(at, type, Progress::kDone);
  }
}

// One statement after the other; ReadyForQuery ends them (on_ready).
bool ReplyQueue::accept_query(std::size_t at, BackendType type) {
  Progress& progress = entries_[at].progress;
  if (progress == Progress::kRows) {
    if (type == BackendType::kCommandComplete) progress = Progress::kResultSeen;
    return type == BackendType::kDataRow || type == BackendType::kCommandComplete;
  }
  if (progress != Progress::kPending && progress != Progress::kResultSeen) {
    return accept_copy(at, type, Progress::kResultSeen);
  }
  switch (type) {
    case BackendType::kRowDescription:
      progress = Progress::kRows;
      return true;
    case BackendType::kCommandComplete:
    case BackendType::kEmptyQueryResponse:
      progress = Progress::kResultSeen;
      return true;
    default:
      return accept_copy(at, type, Progress::kResultSeen);
  }
}

// From the copy response to CommandComplete. COPY BOTH (replication only) is not known here.
bool ReplyQueue::accept_copy(std::size_t at, BackendType type, Progress complete) {
  Progress& progress = entries_[at].progress;
  switch (progress) {
    case Progress::kPending:
    case Progress::kResultSeen:
      if (type == BackendType::kCopyOutResponse) {
        progress = Progress::kCopyOut;
        return true;
      }
      if (type != BackendType::kCopyInResponse) return false;
      progress = Progress::kCopyIn;
      enter_copy_in(at);
      return true;
    case Progress::kCopyOut:
      if (type == BackendType::kCopyDone) progress = Progress::kCopyOutEnd;
      return type == BackendType::kCopyDone || type == BackendType::kCopyData;
    case Progress::kCopyOutEnd:
      if (type == BackendType::kCommandComplete) progress = complete;
      return type == BackendType::kCommandComplete;
    case Progress::kCopyIn:
      if (type != BackendType::kCommandComplete || !leave_copy_in(at)) return false;
      progress = complete;
      return true;
    default:
      return false;
  }
}

// Entries pushed before we knew of the COPY: up to its end the server ignores Sync and Flush.
void ReplyQueue::enter_copy_in(std::size_t at) {
  copy_open_ = true;
  sync_ignored_ = false;
  for (std::size_t i = at + 1; i < entries_.size() && copy_open_; ++i) {
    Slot& slot = entries_[i];
    if (slot.progress != Progress::kPending || !sent(slot.expectation)) continue;
    const Request request = slot.expectation.request;
    if (request == Request::kSync || request == Request::kFlush) {
      slot.progress = Progress::kSkipped;
      if (request == Request::kSync) sync_ignored_ = true;
    } else {
      copy_open_ = false;
    }
  }
  // The batch of an Execute is open again if the Sync that seemed to end it was ignored.
  const bool extended = entries_[at].expectation.request == Request::kExecute;
  if (extended && sync_ignored_ && copy_open_) unsynced_ = true;
}

// COPY succeeded: its CopyDone is spent. A server that completes without one is out of step.
bool ReplyQueue::leave_copy_in(std::size_t at) {
  copy_open_ = false;
  sync_ignored_ = false;
  for (std::size_t i = at + 1; i < entries_.size(); ++i) {
    Slot& slot = entries_[i];
    if (slot.progress != Progress::kPending || !sent(slot.expectation)) continue;
    if (slot.expectation.request != Request::kCopyDone) return false;
    slot.progress = Progress::kDone;
    return true;
  }
  return false;
}

Result<Disposal> ReplyQueue::on_error() {
  const std::size_t at = awaited();
  if (at == entries_.size() || entries_[at].progress == Progress::kError) {
    return Disposal{Disposal::Action::kServerClosing, false, Request::kQuery, 0};
  }
  Slot& slot = entries_[at];
  if (slot.progress == Progress::kCopyIn) {
    POSTERN_TRY(fail_copy_in(at));
  }
  if (ends_with_ready(slot.expectation.request)) {
    slot.progress = Progress::kError;
  } else {
    slot.progress = Progress::kFailed;
    skip_batch(at + 1);
  }
  return dispose(slot.expectation);
}

// Where requests were sent behind a simple COPY without ending it, the server may have failed the
// COPY because of one and swallowed it, or failed before and will still answer it: unknowable.
Status ReplyQueue::fail_copy_in(std::size_t at) {
  uncertain_ = uncertain_ || sync_ignored_;
  copy_open_ = false;
  sync_ignored_ = false;
  if (entries_[at].expectation.request != Request::kQuery) return ok();
  for (std::size_t i = at + 1; i < entries_.size(); ++i) {
    const Slot& slot = entries_[i];
    if (slot.progress != Progress::kPending || !sent(slot.expectation)) continue;
    if (ends_copy(slot.expectation.request)) return ok();
    return make_error(pst::kServerProtocol, "request sent during COPY");
  }
  return ok();
}

// The server reads and drops everything up to the next Sync, also Query and FunctionCall.
void ReplyQueue::skip_batch(std::size_t from) {
  for (std::size_t i = from; i < entries_.size(); ++i) {
    Slot& slot = entries_[i];
    if (slot.progress != Progress::kPending) continue;
    if (slot.expectation.request == Request::kSync && sent(slot.expectation)) return;
    slot.progress = Progress::kSkipped;
  }
  skipping_ = true;
}

std::optional<Completion> ReplyQueue::next_completion() {
  if (empty()) return std::nullopt;
  const Slot& slot = entries_[head_];
  Completion completion{slot.expectation, Completion::Outcome::kDone};
  switch (slot.progress) {
    case Progress::kDone:
      break;
    case Progress::kFailed:
      completion.outcome = Completion::Outcome::kFailed;
      break;
    case Progress::kSkipped:
      completion.outcome = Completion::Outcome::kSkipped;
      break;
    default:
      if (!sent(slot.expectation)) {
        completion.outcome = Completion::Outcome::kSynthesise;
      } else if (!is_marker(slot.expectation.request)) {
        return std::nullopt;
      }
  }
  drop_head();
  return completion;
}

void ReplyQueue::drop_head() {
  ++head_;
  if (head_ == entries_.size()) {
    entries_.clear();
    head_ = 0;
  } else if (head_ >= kCompactAt && head_ * 2 >= entries_.size()) {
    entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
  }
}

}  // namespace postern::protocol
