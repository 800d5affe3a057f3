// Extended-protocol messages between two Syncs, kept until it is known what to do with them.
#pragma once

#include <cstddef>
#include <deque>
#include <utility>

#include "base/bytes.hpp"
#include "protocol/wire.hpp"

namespace postern::proxy {

/// One client message. `whole` views the read buffer until detach(), then `copy`.
struct BatchItem {
  protocol::FrontendType type{};
  ByteView whole;
  Bytes copy;

  /// Without type and length word.
  [[nodiscard]] ByteView body() const { return whole.substr(5); }
};

/// A deque: elements stay where they are when it grows or is moved, and so do views into `copy`.
using BatchItems = std::deque<BatchItem>;

/// The messages of one batch in order. One thread.
class Batch {
 public:
  /// Above this a batch is sent on without waiting for its Sync.
  static constexpr std::size_t kMaxBytes = 64 * 1024;
  static constexpr std::size_t kMaxItems = 64;

  void add(protocol::FrontendType type, ByteView whole) {
    bytes_ += whole.size();
    items_.push_back({type, whole, {}});
  }
  /// Makes the items independent of the read buffer.
  void detach() {
    for (BatchItem& item : items_) {
      if (!item.copy.empty()) continue;
      item.copy = Bytes(item.whole);
      item.whole = item.copy;
    }
  }
  /// Items that own their bytes, before anything collected so far.
  void put_in_front(BatchItems items) {
    for (auto it = items.rbegin(); it != items.rend(); ++it) {
      bytes_ += it->whole.size();
      BatchItem& item = items_.emplace_front();
      item.type = it->type;
      item.copy = std::move(it->copy);
      item.whole = item.copy;
    }
  }
  BatchItems take() {
    bytes_ = 0;
    return std::exchange(items_, {});
  }
  [[nodiscard]] bool empty() const { return items_.empty(); }
  [[nodiscard]] bool full() const { return bytes_ > kMaxBytes || items_.size() >= kMaxItems; }

 private:
  BatchItems items_;
  std::size_t bytes_ = 0;
};

}  // namespace postern::proxy
