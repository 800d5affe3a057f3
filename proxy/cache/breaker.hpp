// Leaves a failing Redis alone for a while, then tries it with one call.
#pragma once

#include <chrono>
#include <cstdint>

#include "proxy/net/asio.hpp"

namespace postern::proxy {

/// Pure: time comes in as a value. One thread at a time.
class Breaker {
 public:
  using Time = SteadyClock::time_point;
  /// Failures in a row that open it.
  static constexpr unsigned kMaxFailures = 5;

  explicit Breaker(std::chrono::milliseconds pause) : pause_(pause) {}

  /// May a call be made now? Every true is followed by one success() or failure(). After a pause
  /// one call alone goes through; its outcome decides for the others.
  [[nodiscard]] bool allow(Time now) {
    if (state_ == State::kClosed) return true;
    if (state_ == State::kProbing || now < retry_at_) return false;
    state_ = State::kProbing;
    return true;
  }
  /// Returns whether this closed it.
  bool success() {
    const bool was_open = state_ != State::kClosed;
    state_ = State::kClosed;
    failures_ = 0;
    return was_open;
  }
  /// Returns whether this opened it.
  bool failure(Time now) {
    ++failures_;
    const bool opens = state_ == State::kClosed && failures_ >= kMaxFailures;
    if (!opens && state_ != State::kProbing) return false;
    state_ = State::kOpen;
    retry_at_ = now + pause_;
    return opens;
  }
  [[nodiscard]] bool is_closed() const { return state_ == State::kClosed; }

 private:
  enum class State : std::uint8_t { kClosed, kOpen, kProbing };
  std::chrono::milliseconds pause_;
  State state_ = State::kClosed;
  unsigned failures_ = 0;
  Time retry_at_{};
};

}  // namespace postern::proxy
