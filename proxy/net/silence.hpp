// How long a peer's host has been silent: TCP repeats what nobody acknowledges for a quarter of an
// hour, and keepalive waits for that. The socket option TCP_USER_TIMEOUT would not do: by it Linux
// also ends what a living peer does not read for a while, and servers behind a lock and clients
// with much to digest have all the time in the world.
#pragma once

#include <chrono>
#include <optional>

#include "proxy/net/socket_ops.hpp"

namespace postern::proxy {

/// Of one connection. Pure.
class Silence {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// Takes what was seen `now`; how long the host has been silent although something awaits its
  /// answer, as far as it was watched, so shorter rather than longer. Means something above a
  /// second: Linux leaves unanswered what comes within half a one of its last answer.
  std::chrono::milliseconds observe(const Acknowledgement& seen, Time now) {
    if (!seen.outstanding) {
      since_.reset();
      return std::chrono::milliseconds(0);
    }
    // What was answered last may lie long before what is outstanding: no measure of the silence.
    if (!since_ || now - seen.heard > *since_) since_ = now;
    return std::chrono::duration_cast<std::chrono::milliseconds>(now - *since_);
  }

 private:
  std::optional<Time> since_;
};

}  // namespace postern::proxy
