// Inside of Log: the queue, the writer thread and what both share.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "audit/segment_writer.hpp"
#include "audit/writer.hpp"

namespace postern::audit {

/// What the writer does after it has made a record durable.
enum class After : std::uint8_t { kNothing, kCheckpoint, kRotate, kStop };

struct QueuedRecord {
  EncodedRecord record;
  After after = After::kNothing;
};

struct Log::Impl {
  using Clock = std::chrono::steady_clock;

  Impl(LogOptions options_in, LogKey key_in, Fd lock_in, LogPosition position);

  /// Queues a record regardless of the limits: for the log's own records.
  std::uint64_t push_own(Kind kind, std::string body, After after);
  void run();  ///< the writer thread

  LogOptions options;
  const LogKey key;
  const VerifierKey verifier;
  const std::uint64_t incarnation;
  Fd lock;  ///< holds the folder's lock

  // Shared, under `mutex`.
  std::mutex mutex;
  std::condition_variable work;      ///< for the writer
  std::condition_variable progress;  ///< for wait_durable and open_log
  std::vector<QueuedRecord> queue;
  std::size_t queued_bytes = 0;
  std::uint64_t next_index = 0;
  Clock::time_point first_queued_at;
  bool urgent = false;
  bool stopping = false;
  bool starved = false;  ///< somebody met a full queue
  Error failure;

  std::atomic<std::uint64_t> durable{0};
  std::atomic<LogState> state{LogState::kRunning};
  std::atomic<std::uint64_t> syncs{0};
  std::atomic<std::uint64_t> checkpoints{0};
  std::atomic<std::uint64_t> refused_busy{0};
  std::atomic<std::uint64_t> anchors_pending{0};

  std::mutex wakers_mutex;
  std::vector<std::pair<int, std::function<void()>>> wakers;
  int next_waker = 0;

  std::mutex stop_mutex;
  std::thread thread;

  // Of the writer thread only.
  SegmentWriter segments;
  NoteFile checkpoint_file;
  NoteFile anchor_file;
  std::string pending_anchors;  ///< notes not yet in the anchor file
  Clock::time_point next_checkpoint;

 private:
  std::uint64_t push_locked(QueuedRecord record);
  std::vector<QueuedRecord> next_batch();
  void wait_for_work(std::unique_lock<std::mutex>& held);
  Status process(const std::vector<QueuedRecord>& batch);
  Status finish(After after);
  Status write_checkpoint();
  void write_anchors();
  void publish();
  void fail(Error error);
  void wake_all();
};

/// {"reason":...,"t":...,"v":1} for the log's own records.
std::string own_body(const LogOptions& options, std::string_view reason);

}  // namespace postern::audit
