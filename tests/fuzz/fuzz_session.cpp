// SessionFsm and ReplyQueue under any order of client messages, injected requests and answers.
#include "protocol/reply_queue.hpp"
#include "protocol/session_fsm.hpp"
#include "tests/fuzz/support.hpp"

using namespace postern;
using namespace postern::protocol;

namespace {

constexpr ByteView kClientTypes = "QPBDECSHFdcfXp";
constexpr ByteView kServerTypes = "123sntTDCIZEGHdcVNSA";
constexpr std::size_t kLimit = 64;

std::optional<Request> request_of(char type, bool portal) {
  switch (static_cast<FrontendType>(type)) {
    case FrontendType::kQuery:
      return Request::kQuery;
    case FrontendType::kParse:
      return Request::kParse;
    case FrontendType::kBind:
      return Request::kBind;
    case FrontendType::kDescribe:
      return portal ? Request::kDescribePortal : Request::kDescribeStatement;
    case FrontendType::kExecute:
      return Request::kExecute;
    case FrontendType::kClose:
      return Request::kClose;
    case FrontendType::kSync:
      return Request::kSync;
    case FrontendType::kFlush:
      return Request::kFlush;
    case FrontendType::kFunctionCall:
      return Request::kFunctionCall;
    case FrontendType::kCopyDone:
      return Request::kCopyDone;
    case FrontendType::kCopyFail:
      return Request::kCopyFail;
    default:
      return std::nullopt;
  }
}

class Model {
 public:
  /// False: the connection would be closed now.
  bool step(fuzz::Feed& feed) {
    const std::uint8_t choice = feed.byte();
    const bool on = (choice & 1) == 0 ? client(choice >> 1) : server(choice >> 1, feed);
    completions();
    invariants();
    return on;
  }

 private:
  bool client(unsigned choice) {
    const char type = kClientTypes[choice % kClientTypes.size()];
    const bool second = choice / kClientTypes.size() % 2 == 1;
    const auto verdict = fsm_.on_frontend(static_cast<FrontendType>(type));
    if (!verdict || *verdict == SessionFsm::Verdict::kTerminate) return false;
    if (*verdict == SessionFsm::Verdict::kDiscard) return true;
    const auto request = request_of(type, second);
    if (!request) return true;
    return push(*request, choice / kClientTypes.size() % 3);
  }
  bool push(Request request, unsigned disposition) {
    const std::size_t before = queue_.size();
    const auto pushed = queue_.push({request, static_cast<Disposition>(disposition), pushed_ + 1});
    POSTERN_CHECK(pushed.has_value() == (before < kLimit));
    if (!pushed) return false;
    ++pushed_;
    POSTERN_CHECK(queue_.size() == before + 1);
    return true;
  }
  bool server(unsigned choice, fuzz::Feed& feed) {
    const auto type = static_cast<BackendType>(kServerTypes[choice % kServerTypes.size()]);
    const char status = "ITEx"[feed.below(4)];
    const bool owed = !queue_.empty();
    const auto disposal = queue_.on_backend(type, ByteView(&status, 1));
    if (!disposal) return false;
    if (disposal->action == Disposal::Action::kServerClosing) return false;
    if (!disposal->asynchronous) {
      POSTERN_CHECK(owed && disposal->tag > completed_ && disposal->tag <= pushed_);
    }
    if (disposal->action == Disposal::Action::kForward) forwarded(type, status);
    return true;
  }
  void forwarded(BackendType type, char status) {
    if (type == BackendType::kCopyInResponse) fsm_.on_copy_in();
    if (type == BackendType::kErrorResponse) fsm_.on_error(queue_.skipping());
    if (type == BackendType::kReadyForQuery) {
      POSTERN_CHECK(status != 'x' && static_cast<char>(queue_.transaction_status()) == status);
    }
  }
  /// They come in the order of the requests, each once.
  void completions() {
    while (const auto done = queue_.next_completion()) {
      POSTERN_CHECK(done->entry.tag == ++completed_);
    }
  }
  void invariants() const {
    POSTERN_CHECK(queue_.size() == pushed_ - completed_);
    POSTERN_CHECK(queue_.empty() == (queue_.size() == 0));
    POSTERN_CHECK(!queue_.releasable() || (queue_.empty() && !queue_.in_copy_in()));
    POSTERN_CHECK(!queue_.releasable() || queue_.transaction_status() == TransactionStatus::kIdle);
  }

  SessionFsm fsm_;
  ReplyQueue queue_{kLimit};
  std::uint64_t pushed_ = 0;
  std::uint64_t completed_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Feed feed(fuzz::view(data, size));
  Model model;
  while (!feed.empty() && model.step(feed)) {
  }
  return 0;
}
