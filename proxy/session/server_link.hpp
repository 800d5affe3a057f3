// A server connection in the hands of one session: transport, reply queue and what the replies
// belong to.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "protocol/framer.hpp"
#include "proxy/net/codec_buffer.hpp"
#include "proxy/net/event.hpp"
#include "proxy/net/silence.hpp"
#include "proxy/pool/broker.hpp"
#include "proxy/session/link_memory.hpp"
#include "proxy/session/pins.hpp"
#include "proxy/session/statistics.hpp"

namespace postern::proxy {

struct WorkerContext;

/// A KnownStatement::id: the server may or may not have a statement of this name.
inline constexpr std::uint64_t kUnknownStatement = 0;

/// One worker's thread. Lives from acquire to release or close.
class ServerLink {
 public:
  ServerLink(WorkerContext* context, std::unique_ptr<Transport> transport,
             std::unique_ptr<ServerFacts> facts, PoolTicket ticket);
  ServerLink(const ServerLink&) = delete;
  ServerLink& operator=(const ServerLink&) = delete;
  ~ServerLink();

  /// Adds a message to what will be flushed and its unit to the reply queue.
  /// kPipelineTooLong: the session must close.
  Status expect(Unit&& unit, protocol::Disposition disposition);

  /// Writes what was added to out(). The link is broken after an error. Two coroutines of a session
  /// may call it: each returns when what it added was written.
  Prompt<Status> flush();

  [[nodiscard]] bool flushing() const { return flushing_; }
  /// Everything added so far was written: flush() has nothing to do.
  [[nodiscard]] bool flushed() const { return !flushing_ && memory_->out.empty(); }
  [[nodiscard]] Outgoing& out() { return memory_->out; }
  [[nodiscard]] bool out_empty() const { return memory_->out.empty(); }
  [[nodiscard]] protocol::ReplyQueue& queue() { return memory_->queue; }
  [[nodiscard]] const protocol::ReplyQueue& queue() const { return memory_->queue; }
  [[nodiscard]] Transport& transport() { return *transport_; }
  [[nodiscard]] ReadBuffer& input() { return input_; }
  [[nodiscard]] const protocol::Framer& framer() const { return framer_; }
  [[nodiscard]] ServerFacts& facts() { return *facts_; }
  [[nodiscard]] const ServerFacts& facts() const { return *facts_; }

  /// The unit a disposal or completion names.
  /// Until the next expect() or pop_unit().
  [[nodiscard]] Unit& unit(std::uint64_t tag) { return memory_->units.at(tag); }
  /// A reply to a message of this kind is awaited next.
  [[nodiscard]] bool awaits(Internal internal) const {
    return !memory_->units.empty() && memory_->units.front().internal == internal;
  }
  /// What the server is answering now is a message of ours.
  [[nodiscard]] bool answers_us() const {
    return !memory_->units.empty() && memory_->units.front().internal != Internal::kNone &&
           memory_->units.front().internal != Internal::kRefusal &&
           memory_->units.front().internal != Internal::kCopy;
  }
  /// The message added last is of this kind.
  [[nodiscard]] bool awaits_last(Internal internal) const {
    return !memory_->units.empty() && memory_->units.back().internal == internal;
  }
  template <typename F>
  void each_unit(F visit) {
    for (Unit& unit : memory_->units.waiting()) visit(unit);
  }
  /// Drops the oldest unit: its completion was handled.
  Unit pop_unit() { return memory_->units.pop(); }

  /// Statement names known on this server connection.
  [[nodiscard]] std::unordered_map<std::string, KnownStatement>& prepared() {
    return facts_->prepared;
  }
  /// The server has, or is about to have, this statement under this name.
  void remember(const std::string& name, std::uint64_t id);
  /// The server may or may not have what is known under this name.
  void distrust(const std::string& name);
  /// Nothing is known of this name any more.
  void forget(const std::string& name);
  /// What is being sent ends the statement of this name, if it is there.
  void end_statement(const std::string& name);
  /// That was answered.
  void settle_end(const std::string& name, bool success);
  /// A Parse was answered. `dropped`: it failed, but ended the statement of its name first.
  void settle_statement(const std::string& name, std::uint64_t id, bool success, bool dropped);
  /// The server deallocated it. What was sent under the name since, stays.
  void forget_statement(const std::string& name);
  /// It deallocated all that have names.
  void forget_statements();
  [[nodiscard]] TenantContext& context() { return facts_->context; }
  [[nodiscard]] const TenantContext& context() const { return facts_->context; }
  /// Set once the connection must not be used any further, nor pooled.
  bool broken = false;
  /// It served more than one tenant: not for a pool any more.
  bool mixed = false;
  /// A server message already matched with its request, held back until a gate opens.
  std::optional<protocol::Disposal> held;
  /// Bytes of a large message still to be passed through, or dropped.
  std::size_t stream_left = 0;
  bool stream_forward = false;
  /// Bytes of a client's long message still to be sent: until then nothing else may be.
  std::size_t up_left = 0;
  /// A reply coroutine is reading; it sets `stopped` when it ends.
  bool pumping = false;
  /// The reply coroutine is asked to end at the next quiet moment.
  bool stop_pump = false;
  Event stopped;
  /// Set whenever the reply queue has run empty, and when the server begins to take COPY data.
  Event drained;
  /// Cancel requests under way to this backend: it must not be pooled before they are done.
  unsigned cancels = 0;
  Event cancels_done;
  SessionStatistics* statistics = nullptr;  ///< of the session that holds the link
  CountedPins pins;                         ///< why it stays with that session
  Silence silence;                          ///< of the server's host
  Silence client_silence;                   ///< of the client's, while it holds the link

  /// Nothing is owed, and nothing was received that nobody looked at.
  [[nodiscard]] bool quiet() const {
    return memory_->queue.releasable() && input_.empty() && !held && stream_left == 0 &&
           up_left == 0;
  }
  /// Takes the connection out for pooling; it stays with the worker, whose thread this is. Nothing
  /// may be under way.
  IdleServer release_server(Worker* worker);
  [[nodiscard]] PoolTicket& ticket() { return ticket_; }

 private:
  [[nodiscard]] std::uint64_t answered(const std::string& name) const;
  void set_answered(const std::string& name, std::uint64_t id);

  Task<Status> flush_in_turn();
  Task<Status> end_later(Prompt<Status> writing);
  Status flush_ended(Status status);

  LinkMemoryPool* memories_;
  std::unique_ptr<LinkMemory> memory_;
  std::unique_ptr<Transport> transport_;
  std::unique_ptr<ServerFacts> facts_;
  PoolTicket ticket_;
  ReadBuffer input_;
  protocol::Framer framer_;
  bool flushing_ = false;
  bool flush_awaited_ = false;
  Event flushed_;
  /// Where prepared() tells what was sent: what the name stands for by the answers so far.
  std::unordered_map<std::string, std::uint64_t> answered_;
};

}  // namespace postern::proxy
