// Ends connections whose peer's host has vanished while something awaits its acknowledgement: TCP
// repeats itself for a quarter of an hour then, and keepalive waits for that. The socket option
// TCP_USER_TIMEOUT would not do: by it Linux also ends what a living peer does not read for a
// while, and servers behind a lock and clients with much to digest have all the time in the world.
#pragma once

#include <chrono>
#include <optional>

#include "proxy/net/deadline.hpp"
#include "proxy/net/transport.hpp"

namespace postern::proxy {

/// How long a host has been silent although something awaits its answer. Pure.
class Silence {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// Takes what was seen `now`; the silence as far as it was watched, so shorter rather than
  /// longer.
  std::chrono::milliseconds observe(const Acknowledgement& seen, Time now);

 private:
  std::optional<Time> since_;
};

/// Looks after one transport, on the worker's thread: closes it once its peer's host was silent for
/// `patience`, at most a quarter of that and a tick late. Above a second: Linux leaves unanswered
/// what comes within half a one of its last answer. The transport stays, and outlives the vigil.
class Vigil {
 public:
  Vigil(DeadlineList* list, Transport* transport, std::chrono::milliseconds patience);
  /// Looks no more.
  void end() { deadline_.disarm(); }

 private:
  static void look(void* self);

  Deadline deadline_;
  Transport* transport_;
  std::chrono::milliseconds patience_;
  Silence silence_;
};

}  // namespace postern::proxy
