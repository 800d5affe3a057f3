// A server that cannot be logged in to: what it said, since when, and when to try again.
#pragma once

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/error.hpp"
#include "proxy/pool/pool_settings.hpp"

namespace postern::proxy {

/// Pure: time comes in as values. While it stands, one attempt at a time is made, after pauses that
/// double from kFirstPause to the longest allowed; all others fail at once.
class Failure {
 public:
  using Millis = std::chrono::milliseconds;
  static constexpr Millis kFirstPause{100};

  /// An attempt failed. Attempts that began before the failure was known do not lengthen the pause.
  void note(Error error, SteadyTime now, Millis longest) {
    error_ = std::move(error);
    probing_ = false;
    if (!standing_) {
      standing_ = true;
      since_ = now;
      pause_ = std::min(kFirstPause, longest);
    } else if (now >= next_) {
      pause_ = std::min(pause_ * 2, longest);
    } else {
      return;
    }
    next_ = now + pause_;
  }
  void clear() { *this = Failure(); }

  [[nodiscard]] bool standing() const { return standing_; }
  /// No attempt may be made now.
  [[nodiscard]] bool blocks(SteadyTime now) const { return standing_ && (probing_ || now < next_); }
  /// An attempt begins; meaningful while standing.
  void begin_probe() { probing_ = standing_; }
  /// The attempt was given up without a verdict.
  void end_probe() { probing_ = false; }

  [[nodiscard]] const Error& error() const { return error_; }
  [[nodiscard]] SteadyTime since() const { return since_; }
  [[nodiscard]] SteadyTime next() const { return next_; }

 private:
  Error error_;
  SteadyTime since_{};
  SteadyTime next_{};
  Millis pause_{};
  bool standing_ = false;
  bool probing_ = false;
};

}  // namespace postern::proxy
