// What the replies of a server connection belong to, in the order of the requests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "base/check.hpp"
#include "proxy/session/unit.hpp"

namespace postern::proxy {

/// Units under tags that count up from 0 over the queue's life. Allocates only when deeper than
/// ever before. One thread; references hold until the next push() or pop().
class UnitQueue {
 public:
  [[nodiscard]] bool empty() const { return head_ == units_.size(); }
  [[nodiscard]] const Unit& front() const { return units_[head_]; }
  [[nodiscard]] const Unit& back() const { return units_.back(); }
  /// The tag that the unit pushed next will have.
  [[nodiscard]] std::uint64_t next_tag() const { return first_tag_ + units_.size() - head_; }
  [[nodiscard]] Unit& at(std::uint64_t tag) { return units_.at(head_ + (tag - first_tag_)); }
  [[nodiscard]] std::span<Unit> waiting() { return std::span<Unit>(units_).subspan(head_); }

  void push(Unit&& unit) {
    if (head_ >= kMostSpent && head_ >= units_.size() / 2) drop_spent();
    units_.push_back(std::move(unit));
  }
  Unit pop() {
    POSTERN_CHECK(!empty());
    Unit unit = std::move(units_[head_++]);
    ++first_tag_;
    if (empty()) drop_spent();
    return unit;
  }

 private:
  /// Units already handled that wait to be dropped together, where the queue never runs empty.
  static constexpr std::size_t kMostSpent = 256;

  void drop_spent() {
    units_.erase(units_.begin(), units_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
  }

  std::vector<Unit> units_;
  std::size_t head_ = 0;  ///< units before it were popped
  std::uint64_t first_tag_ = 0;
};

}  // namespace postern::proxy
