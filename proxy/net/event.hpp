// A wake-up between coroutines of one worker.
#pragma once

#include <memory>

#include "proxy/net/asio.hpp"

namespace postern::proxy {

/// set() wakes the one coroutine waiting, or lets the next wait() through at once. One worker's
/// thread only; at most one waiter; must outlive the wait.
///
/// Built on a timer that never expires, so that a waiter belongs to the io_context and is destroyed
/// with it: a handler kept here would keep its own coroutine alive in a circle. Most events are
/// never waited for, and have none.
class Event {
 public:
  explicit Event(const Executor& executor) : executor_(executor) {}
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  void set();
  Task<void> wait();

 private:
  Executor executor_;
  std::unique_ptr<Timer> timer_;
  bool waiting_ = false;
  bool set_ = false;
};

}  // namespace postern::proxy
