// The log as the proxy uses it: workers append, one thread writes.
//
// Usage
//   auto log = open_log(options);                    // at start; refuses a damaged log
//   auto waker = (*log)->add_waker([&io] { asio::post(io, ...); });   // once per worker
//   auto ticket = (*log)->open(intent, Urgency::kNow);                // before forwarding
//   if (!ticket) -> PST-1902: wait for the waker and try again; PST-1901: apply the failure policy
//   ... before forwarding a write or releasing the first row in the strict modes:
//       wait until (*log)->is_durable(ticket->index)                  // re-check on every wake
//   auto done = (*log)->close(*ticket, outcome, Urgency::kNow);       // index of the outcome
//   ... strict modes: wait for is_durable(*done) before CommandComplete
//   (*log)->stop();                                  // clean end: stop record, checkpoint, anchor
//
// The mode of an access decides only who waits and for what:
//   strict        open(kNow) and wait; close(kNow) and wait
//   strict-write  the same for writes, DDL and COMMIT; reads wait for the intent before a row
//   batch         open(kBatch)/close(kBatch) or record(); nobody waits, loss <= flush_interval
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "audit/checkpoint.hpp"
#include "audit/file_ops.hpp"
#include "audit/record.hpp"

namespace postern::audit {

/// Limits of the queue between workers and the writer. Beyond them append() answers kAuditBusy.
inline constexpr std::size_t kMaxQueuedRecords = 65'536;
inline constexpr std::size_t kMaxQueuedBytes = std::size_t{64} << 20;
/// A batch of this many bytes is written without waiting for the flush interval.
inline constexpr std::size_t kFlushBytes = std::size_t{1} << 20;

struct LogOptions {
  std::string folder;       ///< created (0700) if absent; one process at a time
  std::string origin;       ///< name of the log and of its key, e.g. "db.example.org/postern-1"
  std::string key_file;     ///< created if absent and the log is empty; outside the folder
  std::string anchor_file;  ///< outside the folder, best on another mount; "" = no anchor
  /// Lets an existing log start a new anchor file; otherwise its absence refuses
  /// (kAuditAnchorMissing).
  bool new_anchor_file = false;
  std::uint64_t segment_bytes = std::uint64_t{64} << 20;  ///< rotation size, >= 1024
  std::chrono::milliseconds flush_interval{20};           ///< 1 to 1000
  std::chrono::milliseconds checkpoint_interval{10'000};  ///< 100 ms to 1 h
  FileOps ops = FileOps::system();
  /// Microseconds since the epoch; records made by the log itself carry it.
  std::function<std::int64_t()> now_us;
};

/// Whether somebody will wait for this record.
enum class Urgency : std::uint8_t {
  kBatch,  ///< durable within flush_interval
  kNow,    ///< flush as soon as the disk is free; one fdatasync serves all that wait
};

/// An open intent. Plain value; forgetting it leaves the intent open until the next start, where
/// it is closed as unknown.
struct Ticket {
  std::uint64_t index = 0;
};

enum class LogState : std::uint8_t {
  kRunning,
  kFailed,  ///< a write, sync or checkpoint failed; nothing is written any more until a restart
  kStopped,
};

/// Numbers for metrics; a snapshot.
struct LogStats {
  std::uint64_t appended = 0;         ///< records accepted since the log began
  std::uint64_t durable = 0;          ///< = durable_index()
  std::uint64_t syncs = 0;            ///< fdatasync calls on segments by this process
  std::uint64_t checkpoints = 0;      ///< written by this process
  std::uint64_t refused_busy = 0;     ///< append() calls that met a full queue
  std::uint64_t anchors_pending = 0;  ///< checkpoints not yet in the anchor file
  std::uint64_t queued = 0;
};

/// A running log. Every method may be called from any thread, except as noted.
class Log {
 public:
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;
  /// Stops cleanly if stop() was not called.
  ~Log();

  /// Queues a record and returns its index in the log. Errors: kAuditBusy (queue full: nothing was
  /// queued, try again after a wake), kAuditUnavailable (failed or stopped). On an error the record
  /// was not moved from.
  Result<std::uint64_t> append(EncodedRecord&& record, Urgency urgency);

  Result<Ticket> open(const Intent& intent, Urgency urgency);
  /// Index of the outcome. On an error the ticket is still open.
  Result<std::uint64_t> close(Ticket ticket, const Outcome& outcome, Urgency urgency);
  /// Intent and outcome as one record.
  Result<std::uint64_t> record(const Intent& intent, const Outcome& outcome, Urgency urgency);

  /// Every record with index < durable_index() is on disk. Never decreases. Lock-free.
  [[nodiscard]] std::uint64_t durable_index() const;
  [[nodiscard]] bool is_durable(std::uint64_t index) const { return index < durable_index(); }
  /// Lock-free. After kFailed no further record becomes durable.
  [[nodiscard]] LogState state() const;
  /// Why the log failed; empty what for a running log.
  [[nodiscard]] Error failure() const;
  [[nodiscard]] LogStats stats() const;

  /// `wake` runs on the writer thread after durable_index() advanced, room returned to the queue or
  /// the state changed. It must not block, throw or call the Log. Returns an id.
  int add_waker(std::function<void()> wake);
  /// After this returned, the waker is not called again. Not from inside a waker.
  void remove_waker(int id);

  /// Blocks until `index` is durable or the log is not running; true if durable. For tools and
  /// tests; a worker waits for its waker instead.
  bool wait_durable(std::uint64_t index);

  /// Writes the stop record, the trailer and a last checkpoint, and ends the thread. Later calls
  /// return the same answer.
  Status stop();

  /// Public key to hand to auditors.
  [[nodiscard]] const VerifierKey& verifier() const;
  /// 1 for the first process that used this folder.
  [[nodiscard]] std::uint64_t incarnation() const;

 private:
  struct Impl;
  friend Result<std::unique_ptr<Log>> open_log(LogOptions options);
  explicit Log(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Creates the log, or recovers it and begins a new incarnation linked to the last record:
/// - reads and checks the whole log, its checkpoints and anchors;
/// - cuts only a torn tail (bytes of the last segment behind its last whole record, with no whole
///   record after them; an incomplete last checkpoint), and records what was cut;
/// - closes intents without outcome as unknown;
/// - refuses everything else: kAuditCorrupt, kAuditRolledBack (smaller than a checkpoint or
///   anchor), kAuditLocked, kAuditKeyBad, kAuditBadOption, kAuditUnreadable, kAuditAnchorMissing.
/// When it returns, the start record and its checkpoint are durable.
Result<std::unique_ptr<Log>> open_log(LogOptions options);

}  // namespace postern::audit
