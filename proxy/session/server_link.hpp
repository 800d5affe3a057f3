// A server connection in the hands of one session: transport, reply queue and what the replies
// belong to.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "protocol/framer.hpp"
#include "protocol/reply_queue.hpp"
#include "proxy/net/codec_buffer.hpp"
#include "proxy/net/event.hpp"
#include "proxy/pool/broker.hpp"
#include "proxy/session/outgoing.hpp"
#include "proxy/session/statistics.hpp"
#include "proxy/session/unit_queue.hpp"

namespace postern::proxy {

/// A KnownStatement::id: the server may or may not have a statement of this name.
inline constexpr std::uint64_t kUnknownStatement = 0;

/// One worker's thread. Lives from acquire to release or close.
class ServerLink {
 public:
  ServerLink(Worker* worker, std::unique_ptr<Transport> transport,
             std::unique_ptr<ServerFacts> facts, PoolTicket ticket);

  /// Adds a message to what will be flushed and its unit to the reply queue.
  /// kPipelineTooLong: the session must close.
  Status expect(Unit&& unit, protocol::Disposition disposition);

  /// Writes what was added to out(). The link is broken after an error. Two coroutines of a session
  /// may call it: each returns when what it added was written.
  Prompt<Status> flush();

  [[nodiscard]] bool flushing() const { return flushing_; }
  /// Everything added so far was written: flush() has nothing to do.
  [[nodiscard]] bool flushed() const { return !flushing_ && out_.empty(); }
  [[nodiscard]] Outgoing& out() { return out_; }
  [[nodiscard]] bool out_empty() const { return out_.empty(); }
  [[nodiscard]] protocol::ReplyQueue& queue() { return queue_; }
  [[nodiscard]] const protocol::ReplyQueue& queue() const { return queue_; }
  [[nodiscard]] Transport& transport() { return *transport_; }
  [[nodiscard]] ReadBuffer& input() { return input_; }
  [[nodiscard]] const protocol::Framer& framer() const { return framer_; }
  [[nodiscard]] ServerFacts& facts() { return *facts_; }
  [[nodiscard]] const ServerFacts& facts() const { return *facts_; }

  /// The unit a disposal or completion names.
  /// Until the next expect() or pop_unit().
  [[nodiscard]] Unit& unit(std::uint64_t tag) { return units_.at(tag); }
  /// A reply to a message of this kind is awaited next.
  [[nodiscard]] bool awaits(Internal internal) const {
    return !units_.empty() && units_.front().internal == internal;
  }
  /// What the server is answering now is a message of ours.
  [[nodiscard]] bool answers_us() const {
    return !units_.empty() && units_.front().internal != Internal::kNone &&
           units_.front().internal != Internal::kRefusal &&
           units_.front().internal != Internal::kCopy;
  }
  /// The message added last is of this kind.
  [[nodiscard]] bool awaits_last(Internal internal) const {
    return !units_.empty() && units_.back().internal == internal;
  }
  template <typename F>
  void each_unit(F visit) {
    for (Unit& unit : units_.waiting()) visit(unit);
  }
  /// Drops the oldest unit: its completion was handled.
  Unit pop_unit() { return units_.pop(); }

  /// Statement names known on this server connection.
  [[nodiscard]] std::unordered_map<std::string, KnownStatement>& prepared() {
    return facts_->prepared;
  }
  /// The server has, or is about to have, this statement under this name.
  void remember(const std::string& name, std::uint64_t id) {
    facts_->prepared.insert_or_assign(name, KnownStatement{id, ++facts_->statements_used});
  }
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
  /// The reply coroutine waits for the server to speak, with nothing else to do.
  bool pump_waits = false;
  /// The reply coroutine is asked to end at the next quiet moment.
  bool stop_pump = false;
  Event stopped;
  /// Set whenever the reply queue has run empty, and when the server begins to take COPY data.
  Event drained;
  /// Cancel requests under way to this backend: it must not be pooled before they are done.
  unsigned cancels = 0;
  Event cancels_done;
  SessionStatistics* statistics = nullptr;  ///< of the session that holds the link

  /// Nothing is owed, and nothing was received that nobody looked at.
  [[nodiscard]] bool quiet() const {
    return queue_.releasable() && input_.empty() && !held && stream_left == 0 && up_left == 0;
  }
  /// Takes the connection out for pooling; it stays with the worker, whose thread this is. Nothing
  /// may be under way.
  IdleServer release_server(Worker* worker);
  [[nodiscard]] PoolTicket& ticket() { return ticket_; }

 private:
  Task<Status> flush_in_turn();
  Task<Status> end_later(Prompt<Status> writing);
  Status flush_ended(Status status);

  std::unique_ptr<Transport> transport_;
  std::unique_ptr<ServerFacts> facts_;
  PoolTicket ticket_;
  ReadBuffer input_;
  protocol::Framer framer_;
  protocol::ReplyQueue queue_;
  Outgoing out_;
  Outgoing writing_;
  bool flushing_ = false;
  bool flush_awaited_ = false;
  Event flushed_;
  UnitQueue units_;
};

}  // namespace postern::proxy
