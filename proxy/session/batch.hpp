// Extended-protocol messages between two Syncs, kept until it is known what to do with them.
#pragma once

#include <cstddef>
#include <iterator>
#include <utility>
#include <vector>

#include "base/bytes.hpp"
#include "protocol/wire.hpp"

namespace postern::proxy {

/// One client message. `whole` views the read buffer until detach(), then `copy`.
struct BatchItem {
  protocol::FrontendType type{};
  ByteView whole;
  std::vector<char> copy;  ///< no string: its bytes stay where they are when it is moved

  /// Without type and length word.
  [[nodiscard]] ByteView body() const { return whole.substr(5); }
  /// Makes it independent of what `whole` viewed.
  void own() {
    copy.assign(whole.begin(), whole.end());
    whole = ByteView(copy.data(), copy.size());
  }
};

using BatchItems = std::vector<BatchItem>;

/// The messages of one batch in order. One thread.
class Batch {
 public:
  /// Above this a batch is sent on without waiting for its Sync.
  static constexpr std::size_t kMaxBytes = 64 * 1024;
  static constexpr std::size_t kMaxItems = 64;
  /// Room that an idle session keeps.
  static constexpr std::size_t kKeptItems = 8;

  void add(protocol::FrontendType type, ByteView whole) {
    bytes_ += whole.size();
    items_.push_back({type, whole, {}});
  }
  /// Makes the items independent of the read buffer.
  void detach() {
    for (BatchItem& item : items_) {
      if (item.copy.empty()) item.own();
    }
  }
  /// Items that own their bytes, before anything collected so far.
  void put_in_front(BatchItems items) {
    for (const BatchItem& item : items) bytes_ += item.whole.size();
    items.insert(items.end(), std::make_move_iterator(items_.begin()),
                 std::make_move_iterator(items_.end()));
    items_ = std::move(items);
  }
  BatchItems take() {
    bytes_ = 0;
    return std::exchange(items_, {});
  }
  /// Memory of what was taken and is done with, for the batches to come.
  void reuse(BatchItems items) {
    if (items_.capacity() > 0 || items.capacity() > kKeptItems) return;
    items.clear();
    items_ = std::move(items);
  }
  [[nodiscard]] bool empty() const { return items_.empty(); }
  [[nodiscard]] bool full() const { return bytes_ > kMaxBytes || items_.size() >= kMaxItems; }

 private:
  BatchItems items_;
  std::size_t bytes_ = 0;
};

}  // namespace postern::proxy
