// What is on its way to the client. Two coroutines of a session write here (the one that reads the
// client and the one that reads the server); messages never interleave.
#pragma once

#include "base/result.hpp"
#include "proxy/net/event.hpp"
#include "proxy/net/transport.hpp"
#include "proxy/session/outgoing.hpp"

namespace postern::proxy {

/// One worker's thread. Add whole messages to pending(), then flush().
class ClientOut {
 public:
  ClientOut(Transport* transport, const Executor& executor)
      : transport_(transport), idle_(executor) {}

  /// Whoever adds views must flush before the bytes they point to change.
  [[nodiscard]] Outgoing& pending() { return pending_; }
  [[nodiscard]] std::uint64_t written() const { return written_; }
  /// Everything added so far was written: flush() has nothing to do.
  [[nodiscard]] bool flushed() const { return !busy_ && pending_.empty(); }

  /// Returns when everything added so far has been written, or writing has failed (then the client
  /// is gone and every later flush fails too).
  Prompt<Status> flush();

 private:
  Task<Status> flush_in_turn();
  Task<Status> end_later(Prompt<Status> writing);
  Status ended(Status status);

  Transport* transport_;
  Event idle_;
  Outgoing pending_;
  Outgoing in_flight_;
  std::uint64_t written_ = 0;
  bool busy_ = false;
  bool waiting_ = false;
};

}  // namespace postern::proxy
