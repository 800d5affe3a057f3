// ReplyQueue: what the server still owes us, and what to do with each of its messages.
// One queue per server connection. protocol.sgml, "Message Flow"; src/backend/tcop/postgres.c.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "protocol/wire.hpp"

namespace postern::protocol {

/// A frontend message as far as replies are concerned. CopyData needs no entry.
enum class Request : std::uint8_t {
  kQuery,
  kParse,
  kBind,
  kDescribeStatement,
  kDescribePortal,
  kExecute,
  kClose,
  kSync,
  kFlush,
  kFunctionCall,
  kCopyDone,
  kCopyFail,
};

enum class Disposition : std::uint8_t {
  kForward,     ///< replies go to the client
  kSwallow,     ///< injected by the proxy: replies are dropped
  kSynthesise,  ///< never sent to the server: the caller emits the reply when told to
};

struct Expectation {
  Request request = Request::kQuery;
  Disposition disposition = Disposition::kForward;
  std::uint64_t tag = 0;  ///< the caller's; not interpreted
};

/// An entry that left the queue.
struct Completion {
  enum class Outcome : std::uint8_t {
    kDone,        ///< its replies came, the last one was just seen (or it has none)
    kFailed,      ///< ErrorResponse came in its place
    kSkipped,     ///< the server ignored it: an earlier one of its batch failed, or COPY was on
    kSynthesise,  ///< its turn has come: emit the reply now
  };
  Expectation entry;
  Outcome outcome = Outcome::kDone;
};

/// What to do with the server message just seen.
struct Disposal {
  enum class Action : std::uint8_t {
    kForward,
    kSwallow,
    /// ErrorResponse without a request: the server is about to close (57P01 and the like). Show it
    /// to the client attached, never to a later one; drop the connection.
    kServerClosing,
  };
  Action action = Action::kForward;
  bool asynchronous = false;  ///< Notice, ParameterStatus, Notification: belongs to no entry
  Request request = Request::kQuery;  ///< of the entry it belongs to
  std::uint64_t tag = 0;              ///< likewise
};

/// How many unanswered requests a connection may have.
inline constexpr std::size_t kMaxOutstanding = 65'536;

/// Usage: for every message sent to the server, in order, `push`; synthesised ones are pushed at
/// their position too. For every server message `on_backend`, dispose of it, then take completions
/// until there are none. After a push also take completions: a synthesised entry at the head is due
/// at once. Completions come in the order of the requests, so emitting what they ask for as they
/// come keeps the client's reply order.
///
/// Errors: a server message that fits no expectation, or an impossible status byte, is
/// kServerProtocol: the connection is out of step and must be closed. Too many entries:
/// kPipelineTooLong.
///
/// COPY FROM STDIN by Execute: while COPY is on, the server ignores Sync and Flush and takes any
/// other message as an error. Entries pushed behind it are marked so. If the COPY then fails, one
/// cannot know whether an ignored Sync was read before or after the failure; `uncertain()` says
/// so, and such a connection must not be handed to another session. To avoid it, send nothing but
/// Flush behind an Execute that may be COPY until its first reply is there.
///
/// Not for use from several threads at once. Allocates only when deeper than ever before.
class ReplyQueue {
 public:
  explicit ReplyQueue(std::size_t limit = kMaxOutstanding) : limit_(limit) {}

  Status push(const Expectation& expectation);

  /// `body` is needed for ReadyForQuery only; of other messages it may be empty or partial.
  Result<Disposal> on_backend(BackendType type, ByteView body);

  /// The next entry that is finished or due; nullopt where the head awaits the server.
  std::optional<Completion> next_completion();

  [[nodiscard]] std::size_t size() const { return entries_.size() - head_; }
  [[nodiscard]] bool empty() const { return size() == 0; }
  /// A failed batch whose Sync was not pushed yet: the server ignores everything until then.
  [[nodiscard]] bool skipping() const { return skipping_; }
  /// The head is a COPY FROM STDIN whose CopyDone or CopyFail was not pushed yet.
  [[nodiscard]] bool in_copy_in() const { return copy_open_; }
  /// Messages of an extended batch were pushed, and its Sync was not.
  [[nodiscard]] bool unsynced() const { return unsynced_; }
  /// See above; sticky.
  [[nodiscard]] bool uncertain() const { return uncertain_; }
  /// Of the last ReadyForQuery.
  [[nodiscard]] TransactionStatus transaction_status() const { return status_; }
  /// Nothing owed, no transaction, nothing unsynced: the connection may go to another session.
  [[nodiscard]] bool releasable() const {
    return empty() && !skipping_ && !uncertain_ && !unsynced_ &&
           status_ == TransactionStatus::kIdle;
  }

 private:
  enum class Progress : std::uint8_t {
    kPending,     // nothing seen yet; Query: between results
    kResultSeen,  // Query: at least one result is complete
    kRows,        // rows may follow
    kCopyIn,
    kCopyOut,
    kCopyOutEnd,  // CopyDone seen, CommandComplete due
    kDescribed,   // Describe of a statement: parameters seen; FunctionCall: result seen
    kError,       // ErrorResponse seen, ReadyForQuery due
    kDone,
    kFailed,
    kSkipped,
  };
  struct Slot {
    Expectation expectation;
    Progress progress = Progress::kPending;
  };

  [[nodiscard]] std::size_t awaited() const;
  Result<Disposal> on_ready(Slot& slot, ByteView body);
  Result<Disposal> on_error();
  bool accept(std::size_t at, BackendType type);
  bool accept_query(std::size_t at, BackendType type);
  bool accept_execute(std::size_t at, BackendType type);
  bool accept_copy(std::size_t at, BackendType type, Progress complete);
  void enter_copy_in(std::size_t at);
  bool leave_copy_in(std::size_t at);
  Status fail_copy_in(std::size_t at);
  void skip_batch(std::size_t from);
  void drop_head();
  Progress initial_progress(const Expectation& expectation);

  std::vector<Slot> entries_;
  std::size_t head_ = 0;
  std::size_t limit_;
  TransactionStatus status_ = TransactionStatus::kIdle;
  bool skipping_ = false;
  bool uncertain_ = false;
  bool unsynced_ = false;      // extended messages sent since the last Sync
  bool copy_open_ = false;     // COPY FROM STDIN is on, its CopyDone or CopyFail was not pushed
  bool sync_ignored_ = false;  // that COPY swallowed a Sync
};

}  // namespace postern::protocol
