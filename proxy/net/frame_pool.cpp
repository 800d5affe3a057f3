#include "proxy/net/frame_pool.hpp"

namespace postern::proxy {

constinit thread_local FramePool::Lists FramePool::lists_{};

/// Empties the lists at the end of the thread.
struct FramePool::Cleaner {
  Cleaner() = default;
  Cleaner(const Cleaner&) = delete;
  Cleaner& operator=(const Cleaner&) = delete;
  ~Cleaner() {
    for (std::uint32_t& room : lists_.room) room = 0;
    for (FreeFrame*& first : lists_.first) {
      while (first != nullptr) {
        FreeFrame* frame = first;
        first = frame->next;
        ::operator delete(frame);
      }
    }
  }
};

void FramePool::open() {
  // A sanitizer must see every frame come and go.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  lists_.opened = true;
  for (std::uint32_t& room : lists_.room) room = kKept;
  thread_local const Cleaner cleaner;
#endif
}

void* FramePool::take_new(std::size_t size) {
  if (!lists_.opened) open();
  const std::size_t list = list_of(size);
  return ::operator new(list < kSizes ? (list + 1) * kGranule : size);
}

void FramePool::give_back(void* frame) noexcept {
  ::operator delete(frame);
}

}  // namespace postern::proxy
