// Memory of coroutine frames, reused per thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>

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
  static constexpr std::uint32_t kKept = 64;

  [[nodiscard]] static void* take(std::size_t size) {
    const std::size_t list = list_of(size);
    if (list >= kSizes || lists_.first[list] == nullptr) return take_new(size);
    FreeFrame* frame = lists_.first[list];
    lists_.first[list] = frame->next;
    ++lists_.room[list];
    return frame;
  }
  /// `size` as it was asked for.
  static void give(void* frame, std::size_t size) noexcept {
    const std::size_t list = list_of(size);
    if (list >= kSizes || lists_.room[list] == 0) return give_back(frame);
    lists_.first[list] = new (frame) FreeFrame{lists_.first[list]};
    --lists_.room[list];
  }

 private:
  struct FreeFrame {
    FreeFrame* next;
  };
  static constexpr std::size_t kSizes = kLargest / kGranule;

  /// Nothing may be kept before a frame was taken on the thread, nor after its end.
  struct Lists {
    FreeFrame* first[kSizes];
    std::uint32_t room[kSizes];
    bool opened;
  };
  struct Cleaner;

  static std::size_t list_of(std::size_t size) { return (size - 1) / kGranule; }
  static void* take_new(std::size_t size);
  static void give_back(void* frame) noexcept;
  static void open();

  // Has no destructor, so that frames freed after the thread's other objects still find it.
  static constinit thread_local Lists lists_;
};

}  // namespace postern::proxy
