// A connection that nobody uses at the moment, ready for the next user on any worker.
#pragma once

#include <memory>

#include "proxy/net/transport.hpp"
#include "proxy/net/worker.hpp"

namespace postern::proxy {

/// Bound to no worker, or left with the one that used it last: the next user there takes it without
/// a system call. Any thread, one at a time. One that is left with a worker goes before the worker.
class IdleTransport {
 public:
  IdleTransport() = default;
  IdleTransport(UnboundTransport unbound);  // NOLINT: the same thing, bound to nobody
  /// Leaves a transport with its worker. No operation may be under way.
  IdleTransport(Worker* home, std::unique_ptr<Transport> transport);
  IdleTransport(IdleTransport&& other) noexcept = default;
  IdleTransport& operator=(IdleTransport&& other) noexcept;
  /// Closes; where a worker has it, on that worker.
  ~IdleTransport() {
    if (bound_ != nullptr) leave();
  }

  /// The worker it was left with, or null.
  [[nodiscard]] const Worker* home() const { return bound_ != nullptr ? home_ : nullptr; }
  [[nodiscard]] bool encrypted() const;
  /// Is it still as an idle one should be? One system call.
  [[nodiscard]] IdleState peek() const;
  /// The same on the worker's thread: without a system call where that has heard nothing of it.
  [[nodiscard]] IdleState glance(const Worker* worker);
  /// For use on the worker's thread. Empty afterwards. kTransportBroken where the system refuses.
  Result<std::unique_ptr<Transport>> take(Worker* worker);

 private:
  void leave();

  Worker* home_ = nullptr;
  std::unique_ptr<Transport> bound_;           // with home_
  std::unique_ptr<UnboundTransport> unbound_;  // else; both null: empty
};

}  // namespace postern::proxy
