#include "proxy/net/frame_pool.hpp"

#include <new>

namespace postern::proxy {

// A sanitizer must see every frame come and go.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)

void* FramePool::take(std::size_t size) {
  return ::operator new(size);
}

void FramePool::give(void* frame, std::size_t) noexcept {
  ::operator delete(frame);
}

#else

namespace {

struct FreeFrame {
  FreeFrame* next;
};

constexpr std::size_t kSizes = FramePool::kLargest / FramePool::kGranule;

struct Lists {
  FreeFrame* first[kSizes];
  std::size_t count[kSizes];
  bool closed;
  bool cleaned;  // a Cleaner will come
};

// Has no destructor, so that frames freed after the thread's other objects still find it.
constinit thread_local Lists lists{};

/// Empties the lists at the end of the thread.
struct Cleaner {
  Cleaner() = default;
  Cleaner(const Cleaner&) = delete;
  Cleaner& operator=(const Cleaner&) = delete;
  ~Cleaner() {
    lists.closed = true;
    for (FreeFrame*& first : lists.first) {
      while (first != nullptr) {
        FreeFrame* frame = first;
        first = frame->next;
        ::operator delete(frame);
      }
    }
  }
};

void clean_at_thread_end() {
  lists.cleaned = true;
  thread_local const Cleaner cleaner;
}

std::size_t list_of(std::size_t size) {
  return (size - 1) / FramePool::kGranule;
}

}  // namespace

void* FramePool::take(std::size_t size) {
  if (size > kLargest) return ::operator new(size);
  const std::size_t list = list_of(size);
  FreeFrame* frame = lists.first[list];
  if (frame == nullptr) return ::operator new((list + 1) * kGranule);
  lists.first[list] = frame->next;
  --lists.count[list];
  return frame;
}

void FramePool::give(void* frame, std::size_t size) noexcept {
  const std::size_t list = list_of(size);
  if (size > kLargest || lists.closed || lists.count[list] >= kKept) {
    ::operator delete(frame);
    return;
  }
  if (!lists.cleaned) clean_at_thread_end();
  lists.first[list] = new (frame) FreeFrame{lists.first[list]};
  ++lists.count[list];
}

#endif

}  // namespace postern::proxy
