#include "proxy/session/server_link.hpp"

#include <span>
#include <utility>
#include <vector>

#include "proxy/runtime/runtime.hpp"

namespace postern::proxy {

ServerLink::ServerLink(WorkerContext* context, std::unique_ptr<Transport> transport,
                       std::unique_ptr<ServerFacts> facts, PoolTicket ticket)
    : stopped(context->worker->executor()),
      drained(context->worker->executor()),
      cancels_done(context->worker->executor()),
      pins(&context->runtime->metrics),
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
  if (unseen) end_statement("");
  memory_->units.push(std::move(unit));
  return ok();
}

void ServerLink::remember(const std::string& name, std::uint64_t id) {
  const auto known = prepared().find(name);
  if (known != prepared().end() && known->second.id == id) {
    known->second.used = ++facts_->statements_used;
    return;
  }
  const std::uint64_t before = answered(name);
  prepared().insert_or_assign(name, KnownStatement{id, ++facts_->statements_used});
  set_answered(name, before);
}

void ServerLink::distrust(const std::string& name) {
  const auto known = prepared().find(name);
  if (known == prepared().end()) return;
  known->second.id = kUnknownStatement;
  answered_.erase(name);
}

void ServerLink::forget(const std::string& name) {
  prepared().erase(name);
  answered_.erase(name);
}

std::uint64_t ServerLink::answered(const std::string& name) const {
  const auto differing = answered_.find(name);
  if (differing != answered_.end()) return differing->second;
  const auto known = facts_->prepared.find(name);
  return known == facts_->prepared.end() ? kUnknownStatement : known->second.id;
}

void ServerLink::set_answered(const std::string& name, std::uint64_t id) {
  const auto known = prepared().find(name);
  const bool same = known != prepared().end() && known->second.id == id;
  if (!same) {
    answered_.insert_or_assign(name, id);
  } else if (!answered_.empty()) {
    answered_.erase(name);
  }
}

void ServerLink::end_statement(const std::string& name) {
  const auto known = prepared().find(name);
  if (known == prepared().end()) return;
  const std::uint64_t before = answered(name);
  known->second.id = kUnknownStatement;
  set_answered(name, before);
}

void ServerLink::settle_end(const std::string& name, bool success) {
  const auto known = prepared().find(name);
  if (known == prepared().end()) return;
  const std::uint64_t now = success ? kUnknownStatement : answered(name);
  const bool last = known->second.id == kUnknownStatement;
  if (last && success) return forget(name);
  if (last) known->second.id = now;
  set_answered(name, now);
}

void ServerLink::settle_statement(const std::string& name, std::uint64_t id, bool success,
                                  bool dropped) {
  // Not there: forgotten by what was sent before it (DISCARD ALL).
  if (success && !prepared().contains(name)) remember(name, id);
  const auto known = prepared().find(name);
  if (known == prepared().end()) return;
  const std::uint64_t before = dropped ? kUnknownStatement : answered(name);
  const std::uint64_t now = success ? id : before;
  if (!success && known->second.id == id) known->second.id = now;
  set_answered(name, now);
}

void ServerLink::forget_statement(const std::string& name) {
  const auto known = prepared().find(name);
  if (known == prepared().end()) return;
  const bool later = known->second.id != answered(name);
  if (!later) return forget(name);
  set_answered(name, kUnknownStatement);
}

void ServerLink::forget_statements() {
  std::vector<std::string> names;
  for (const auto& [name, known] : prepared()) {
    if (!name.empty()) names.push_back(name);
  }
  for (const std::string& name : names) forget_statement(name);
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
