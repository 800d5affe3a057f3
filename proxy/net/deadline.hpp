// Deadlines without a timer each: every worker sweeps one list at a coarse tick.
#pragma once

#include <chrono>
#include <cstddef>

namespace postern::proxy {

class Deadline;

/// The deadlines of one worker. Pure: time comes in as a value. Not thread-safe.
class DeadlineList {
 public:
  using Time = std::chrono::steady_clock::time_point;

  DeadlineList() = default;
  DeadlineList(const DeadlineList&) = delete;
  DeadlineList& operator=(const DeadlineList&) = delete;

  /// Calls and disarms every deadline at or before `now`. A callback may arm, disarm, create or
  /// destroy any deadline of this list. Returns how many expired.
  std::size_t sweep(Time now);
  /// Armed deadlines.
  [[nodiscard]] std::size_t armed() const { return armed_; }
  /// Called when the first deadline of an empty list is armed, so that the owner starts ticking.
  void on_first(void (*notify)(void*), void* context) {
    notify_ = notify;
    context_ = context;
  }

 private:
  friend class Deadline;
  Deadline* first_ = nullptr;
  Deadline* next_ = nullptr;  // the sweep's place, kept right when entries unlink
  std::size_t armed_ = 0;
  void (*notify_)(void*) = nullptr;
  void* context_ = nullptr;
};

/// One deadline: while armed it sits in its worker's list; when it passes, `expire(owner)` is
/// called once on the worker's thread, up to one tick late (Worker::kTick). The callback closes a
/// socket or the like and returns quickly. The list must outlive it; neither moves nor copies.
class Deadline {
 public:
  using Expire = void (*)(void* owner);
  using Time = DeadlineList::Time;

  Deadline(DeadlineList* list, Expire expire, void* owner)
      : list_(list), expire_(expire), owner_(owner) {}
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;
  ~Deadline() { disarm(); }

  /// Arms or moves the deadline; forgets an earlier expiry.
  void arm(Time when);
  void disarm();
  [[nodiscard]] bool is_armed() const { return armed_; }
  /// It passed since it was last armed.
  [[nodiscard]] bool expired() const { return expired_; }

 private:
  friend class DeadlineList;
  DeadlineList* list_;
  Expire expire_;
  void* owner_;
  Time when_{};
  Deadline* prev_ = nullptr;
  Deadline* next_ = nullptr;
  bool armed_ = false;
  bool expired_ = false;
};

}  // namespace postern::proxy
