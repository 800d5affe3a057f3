#include "audit/writer.hpp"

#include <algorithm>

#include "audit/json.hpp"
#include "audit/log_impl.hpp"
#include "base/codes/audit.hpp"

namespace postern::audit {

Log::Log(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Log::~Log() {
  if (impl_->thread.joinable()) (void)stop().has_value();
}

Result<std::uint64_t> Log::append(EncodedRecord&& record, Urgency urgency) {
  if (record.body.size() > kMaxBodyBytes) {
    return make_error(pst::kAuditBadOption, "a record is longer than 65,535 bytes");
  }
  std::uint64_t index = 0;
  bool notify = false;
  {
    const std::lock_guard held(impl_->mutex);
    if (impl_->state.load() != LogState::kRunning) {
      return make_error(pst::kAuditUnavailable, impl_->failure.what);
    }
    if (impl_->stopping) return make_error(pst::kAuditUnavailable, "the log is stopping");
    if (impl_->queue.size() >= kMaxQueuedRecords || impl_->queued_bytes >= kMaxQueuedBytes) {
      impl_->starved = true;
      ++impl_->refused_busy;
      return make_error(pst::kAuditBusy);
    }
    const bool was_empty = impl_->queue.empty();
    const bool was_small = impl_->queued_bytes < kFlushBytes;
    if (was_empty) impl_->first_queued_at = Impl::Clock::now();
    impl_->queued_bytes += record.body.size();
    impl_->queue.push_back({std::move(record), After::kNothing});
    index = impl_->next_index++;
    const bool newly_urgent = urgency == Urgency::kNow && !impl_->urgent;
    if (newly_urgent) impl_->urgent = true;
    notify = was_empty || newly_urgent || (was_small && impl_->queued_bytes >= kFlushBytes);
  }
  if (notify) impl_->work.notify_one();
  return index;
}

Result<Ticket> Log::open(const Intent& intent, Urgency urgency) {
  POSTERN_ASSIGN(const std::uint64_t index, append(encode_intent(intent), urgency));
  return Ticket{index};
}

Result<std::uint64_t> Log::close(Ticket ticket, const Outcome& outcome, Urgency urgency) {
  return append(encode_outcome(outcome, ticket.index), urgency);
}

Result<std::uint64_t> Log::record(const Intent& intent, const Outcome& outcome, Urgency urgency) {
  return append(encode_statement(intent, outcome), urgency);
}

std::uint64_t Log::durable_index() const {
  return impl_->durable.load(std::memory_order_acquire);
}

LogState Log::state() const {
  return impl_->state.load(std::memory_order_acquire);
}

Error Log::failure() const {
  const std::lock_guard held(impl_->mutex);
  return impl_->failure;
}

LogStats Log::stats() const {
  LogStats stats;
  {
    const std::lock_guard held(impl_->mutex);
    stats.appended = impl_->next_index;
    stats.queued = impl_->queue.size();
  }
  stats.durable = durable_index();
  stats.syncs = impl_->syncs;
  stats.checkpoints = impl_->checkpoints;
  stats.refused_busy = impl_->refused_busy;
  stats.anchors_pending = impl_->anchors_pending;
  return stats;
}

int Log::add_waker(std::function<void()> wake) {
  const std::lock_guard held(impl_->wakers_mutex);
  const int id = impl_->next_waker++;
  impl_->wakers.emplace_back(id, std::move(wake));
  return id;
}

void Log::remove_waker(int id) {
  const std::lock_guard held(impl_->wakers_mutex);
  std::erase_if(impl_->wakers, [id](const auto& waker) { return waker.first == id; });
}

bool Log::wait_durable(std::uint64_t index) {
  std::unique_lock held(impl_->mutex);
  impl_->progress.wait(
      held, [&] { return is_durable(index) || impl_->state.load() != LogState::kRunning; });
  return is_durable(index);
}

Status Log::stop() {
  const std::lock_guard once(impl_->stop_mutex);
  if (impl_->thread.joinable()) {
    impl_->push_own(Kind::kStop, own_body(impl_->options, "stop"), After::kStop);
    impl_->thread.join();
    impl_->lock.reset();
  }
  if (state() == LogState::kFailed) return failure();
  return ok();
}

const VerifierKey& Log::verifier() const {
  return impl_->verifier;
}

std::uint64_t Log::incarnation() const {
  return impl_->incarnation;
}

std::string own_body(const LogOptions& options, std::string_view reason) {
  std::string body;
  JsonWriter json(body);
  json.begin_object();
  json.field("reason", reason);
  json.field("t", options.now_us());
  json.field("v", std::int64_t{1});
  json.end_object();
  return body;
}

}  // namespace postern::audit
