#include "audit/log_impl.hpp"

#include <algorithm>

namespace postern::audit {

Log::Impl::Impl(LogOptions options_in, LogKey key_in, Fd lock_in, LogPosition position)
    : options(std::move(options_in)),
      key(std::move(key_in)),
      verifier(key.verifier()),
      incarnation(position.incarnation),
      lock(std::move(lock_in)),
      next_index(position.tree.size()),
      durable(position.tree.size()),
      segments(options.ops, std::move(position)),
      checkpoint_file(options.ops, checkpoint_path(options.folder)),
      anchor_file(options.ops, options.anchor_file),
      next_checkpoint(Clock::now() + options.checkpoint_interval) {}

std::uint64_t Log::Impl::push_own(Kind kind, std::string body, After after) {
  std::uint64_t index = 0;
  {
    const std::lock_guard held(mutex);
    if (after == After::kStop) stopping = true;
    index = push_locked({{kind, std::move(body)}, after});
  }
  work.notify_one();
  return index;
}

std::uint64_t Log::Impl::push_locked(QueuedRecord record) {
  queued_bytes += record.record.body.size();
  queue.push_back(std::move(record));
  urgent = true;
  return next_index++;
}

void Log::Impl::run() {
  while (state.load() == LogState::kRunning) {
    const std::vector<QueuedRecord> batch = next_batch();
    if (auto done = process(batch); !done) fail(std::move(done).error());
  }
}

void Log::Impl::wait_for_work(std::unique_lock<std::mutex>& held) {
  const auto ready = [&] { return urgent || queued_bytes >= kFlushBytes; };
  while (!ready()) {
    auto deadline = next_checkpoint;
    if (!queue.empty()) deadline = std::min(deadline, first_queued_at + options.flush_interval);
    if (Clock::now() >= deadline) return;
    work.wait_until(held, deadline);
  }
}

std::vector<QueuedRecord> Log::Impl::next_batch() {
  std::vector<QueuedRecord> batch;
  bool room = false;
  {
    std::unique_lock held(mutex);
    wait_for_work(held);
    if (!stopping && Clock::now() >= next_checkpoint) {
      push_locked({{Kind::kCheckpoint, own_body(options, "interval")}, After::kCheckpoint});
    }
    batch.swap(queue);
    queued_bytes = 0;
    urgent = false;
    room = std::exchange(starved, false);
  }
  if (room) wake_all();
  return batch;
}

Status Log::Impl::process(const std::vector<QueuedRecord>& batch) {
  for (const QueuedRecord& item : batch) {
    segments.add(item.record);
    if (item.after != After::kNothing) POSTERN_TRY(finish(item.after));
  }
  POSTERN_TRY(segments.flush());
  if (segments.segment_bytes() >= options.segment_bytes) {
    const std::lock_guard held(mutex);
    if (!stopping) {
      push_locked({{Kind::kCheckpoint, own_body(options, "rotate")}, After::kRotate});
    }
  }
  publish();
  return ok();
}

Status Log::Impl::finish(After after) {
  const bool seals = after == After::kRotate || after == After::kStop;
  POSTERN_TRY(seals ? segments.seal() : segments.flush());
  publish();
  POSTERN_TRY(write_checkpoint());
  if (after == After::kStop) state.store(LogState::kStopped, std::memory_order_release);
  publish();
  return ok();
}

// The records under it are durable before a checkpoint is signed.
Status Log::Impl::write_checkpoint() {
  const std::string note = sign_checkpoint(key, segments.head());
  POSTERN_TRY(checkpoint_file.append(note));
  if (!options.anchor_file.empty()) {
    pending_anchors.append(note);
    ++anchors_pending;
    write_anchors();
  }
  ++checkpoints;
  next_checkpoint = Clock::now() + options.checkpoint_interval;
  return ok();
}

// The anchors' mount may be away for a while; the notes wait for the next checkpoint.
void Log::Impl::write_anchors() {
  if (!anchor_file.append(pending_anchors)) return;
  pending_anchors.clear();
  anchors_pending = 0;
}

void Log::Impl::publish() {
  syncs = segments.syncs();
  {
    const std::lock_guard held(mutex);
    durable.store(segments.size(), std::memory_order_release);
  }
  progress.notify_all();
  wake_all();
}

void Log::Impl::fail(Error error) {
  {
    const std::lock_guard held(mutex);
    failure = std::move(error);
    queue.clear();
    queued_bytes = 0;
    state.store(LogState::kFailed, std::memory_order_release);
  }
  progress.notify_all();
  wake_all();
}

void Log::Impl::wake_all() {
  const std::lock_guard held(wakers_mutex);
  for (const auto& [id, wake] : wakers) wake();
}

}  // namespace postern::audit
