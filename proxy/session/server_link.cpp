#include "proxy/session/server_link.hpp"

#include <span>
#include <utility>

#include "proxy/runtime/runtime.hpp"

namespace postern::proxy {

ServerLink::ServerLink(WorkerContext* context, std::unique_ptr<Transport> transport,
                       std::unique_ptr<ServerFacts> facts, PoolTicket ticket)
    : stopped(context->worker->executor()),
      drained(context->worker->executor()),
      cancels_done(context->worker->executor()),
      memories_(&context->link_memories),
      memory_(memories_->take()),
      transport_(std::move(transport)),
      facts_(std::move(facts)),
      ticket_(std::move(ticket)),
      input_(context->worker->buffers(), std::size_t{protocol::kMaxLargeLength} + 1),
      framer_(protocol::Direction::kFromBackend, protocol::Phase::kReady),
      flushed_(context->worker->executor()) {}

ServerLink::~ServerLink() {
  memories_->give(std::move(memory_));
}

Status ServerLink::expect(Unit&& unit, protocol::Disposition disposition) {
  const protocol::Expectation expectation{unit.request, disposition, memory_->units.next_tag()};
  POSTERN_TRY(memory_->queue.push(expectation));
  // A Query drops the unnamed statement. The client must not notice where the Query is not its own.
  const bool unseen = unit.request == protocol::Request::kQuery && unit.internal != Internal::kNone;
  if (unseen) prepared().erase("");
  memory_->units.push(std::move(unit));
  return ok();
}

Prompt<Status> ServerLink::flush() {
  if (flushing_) return flush_in_turn();
  if (memory_->out.empty()) return ok();
  flushing_ = true;
  swap(memory_->out, memory_->writing);
  if (statistics != nullptr) statistics->server_written(memory_->writing.total());
  Prompt<Status> writing = transport_->write(memory_->writing.views());
  if (Status* status = writing.result()) return flush_ended(std::move(*status));
  return end_later(std::move(writing));
}

Task<Status> ServerLink::flush_in_turn() {
  while (flushing_) {
    flush_awaited_ = true;
    co_await flushed_.wait();
    flush_awaited_ = false;
  }
  co_return co_await flush();
}

Task<Status> ServerLink::end_later(Prompt<Status> writing) {
  Status status = co_await std::move(writing);
  co_return flush_ended(std::move(status));
}

Status ServerLink::flush_ended(Status status) {
  memory_->writing.clear();
  flushing_ = false;
  if (flush_awaited_) flushed_.set();
  if (!status) broken = true;
  return status;
}

IdleServer ServerLink::release_server(Worker* worker) {
  return IdleServer{IdleTransport(worker, std::move(transport_)), std::move(facts_)};
}

}  // namespace postern::proxy
