// What is on its way to the client. Several coroutines of a session write here (the one that reads
// the client, the one that reads the server, a notice, an operator's farewell); messages never
// interleave, and nobody else writes to a client once it is logged in.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/result.hpp"
#include "proxy/net/event.hpp"
#include "proxy/net/transport.hpp"
#include "proxy/session/outgoing.hpp"

namespace postern::proxy {

/// One worker's thread. Add whole messages to pending(), then flush().
class ClientOut {
 public:
  ClientOut(Transport* transport, const Executor& executor)
      : transport_(transport), executor_(executor) {}

  /// Whoever adds views must flush before the bytes they point to change.
  [[nodiscard]] Outgoing& pending() { return pending_; }
  [[nodiscard]] std::uint64_t written() const { return written_; }
  /// Everything added so far was written: flush() has nothing to do.
  [[nodiscard]] bool flushed() const { return !busy_ && pending_.empty(); }

  /// Returns when everything added so far has been written, or writing has failed (then the client
  /// is gone and every later flush fails too). Any number of coroutines may wait here.
  Prompt<Status> flush();
  /// Ends the direction to the client, behind what is being written; nothing is written after it.
  Task<Status> finish();

 private:
  Task<Status> flush_in_turn();
  Task<Status> end_later(Prompt<Status> writing);
  Status ended(Status status);
  Task<void> await_turn();
  void end_turn();

  Transport* transport_;
  Executor executor_;
  Outgoing pending_;
  Outgoing in_flight_;
  std::uint64_t written_ = 0;
  std::vector<Event*> waiting_;  ///< of coroutines whose frames hold them
  std::optional<Error> failure_;
  bool busy_ = false;
};

}  // namespace postern::proxy
