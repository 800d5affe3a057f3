// Waits that began on a guess, and when it is checked.
#pragma once

#include <chrono>

#include "proxy/net/asio.hpp"
#include "proxy/net/deadline.hpp"

namespace postern::proxy {

/// A receive that fills less than it was offered has nearly always emptied its socket, so the next
/// one can be spared: a system call a wait. Not always: the end of the stream or a reset may have
/// come with the bytes, and its edge with theirs; and an urgent byte parts a stream. So who waits
/// on such a guess has an entry here, and looks again when it is due.
///
/// One to each io_context, on its thread.
class SecondLook : public asio::execution_context::service {
 public:
  /// A wrong guess costs at most this.
  static constexpr std::chrono::milliseconds kDelay{100};
  static asio::execution_context::id id;

  explicit SecondLook(asio::execution_context& context);

  /// A Deadline of this list is due at the next look, whatever time it is armed for.
  DeadlineList* waits() { return &waits_; }

 private:
  void shutdown() noexcept override {}
  static void start_ticking(void* self);
  void tick();

  DeadlineList waits_;
  Timer timer_;
  bool ticking_ = false;
};

}  // namespace postern::proxy
