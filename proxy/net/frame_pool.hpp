// Memory of coroutine frames, reused per thread.
#pragma once

#include <cstddef>

namespace postern::proxy {

/// Free lists of coroutine frames by size, one set per thread: a query makes some thirty
/// short-lived frames, most of the same few sizes. A frame may be freed on another thread than it
/// was taken on.
class FramePool {
 public:
  static constexpr std::size_t kGranule = 64;
  /// Larger frames come from the allocator each time.
  static constexpr std::size_t kLargest = 2048;
  /// Unused frames of one size that a thread keeps.
  static constexpr std::size_t kKept = 64;

  [[nodiscard]] static void* take(std::size_t size);
  /// `size` as it was asked for.
  static void give(void* frame, std::size_t size) noexcept;
};

}  // namespace postern::proxy
