// What a link queues and is about to write, in memory that outlives it.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "protocol/reply_queue.hpp"
#include "proxy/session/outgoing.hpp"
#include "proxy/session/unit_queue.hpp"

namespace postern::proxy {

struct LinkMemory {
  protocol::ReplyQueue queue;
  UnitQueue units;
  Outgoing out;      ///< to be written
  Outgoing writing;  ///< being written

  /// As good as new.
  [[nodiscard]] bool spent() const {
    return queue.releasable() && units.empty() && out.empty() && writing.empty();
  }
};

/// Under transaction pooling a link is made for every transaction: its queues would grow anew each
/// time. Belongs to one worker; not thread-safe.
class LinkMemoryPool {
 public:
  /// Few links of a worker come and go at once.
  static constexpr std::size_t kKept = 32;

  [[nodiscard]] std::unique_ptr<LinkMemory> take() {
    if (free_.empty()) return std::make_unique<LinkMemory>();
    std::unique_ptr<LinkMemory> memory = std::move(free_.back());
    free_.pop_back();
    return memory;
  }
  /// Drops what a broken link leaves.
  void give(std::unique_ptr<LinkMemory> memory) {
    if (free_.size() < kKept && memory->spent()) free_.push_back(std::move(memory));
  }

 private:
  std::vector<std::unique_ptr<LinkMemory>> free_;
};

}  // namespace postern::proxy
