// The read side of a connection: a bounded, growing buffer whose memory is borrowed from a
// per-worker pool, so that idle connections own none.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace postern::proxy {

/// Memory of one buffer. `size` is 0 where there is none.
struct BufferBlock {
  std::unique_ptr<char[]> data;
  std::size_t size = 0;
};

/// Free lists of blocks by power of two. Belongs to one worker; not thread-safe. Blocks above
/// kLargestKept go back to the allocator at once, so one big message does not fatten the process.
class BufferPool {
 public:
  static constexpr std::size_t kSmallest = 8 * 1024;
  static constexpr std::size_t kLargestKept = 256 * 1024;
  /// Most memory kept unused over all sizes.
  static constexpr std::size_t kMaxIdleBytes = 8 * 1024 * 1024;

  /// A block of at least `size` bytes: kSmallest times a power of two.
  [[nodiscard]] BufferBlock take(std::size_t size);
  /// Takes a block back; an empty one is ignored.
  void give(BufferBlock block);

  [[nodiscard]] std::size_t idle_bytes() const { return idle_bytes_; }

 private:
  static constexpr std::size_t kClasses = 6;  // 8, 16, … 256 KiB
  std::vector<BufferBlock> free_[kClasses];
  std::size_t idle_bytes_ = 0;
};

/// Bytes received and not yet consumed. Owns no memory until the first reserve and none after
/// trim() on an empty buffer. Views from unread() stay valid until reserve, trim or destruction;
/// consume does not move anything. Use on one worker's thread; the pool must outlive it.
class ReadBuffer {
 public:
  /// `max_bytes` bounds the unread bytes plus the space reserved.
  ReadBuffer(BufferPool* pool, std::size_t max_bytes) : pool_(pool), max_bytes_(max_bytes) {}
  ReadBuffer(ReadBuffer&& other) noexcept;
  ReadBuffer& operator=(ReadBuffer&& other) noexcept;
  ~ReadBuffer();

  /// At least `size` (≥ 1) contiguous writable bytes behind the unread ones: all that the block
  /// holds, but never past the maximum. kBufferLimit where unread + size > max_bytes.
  Result<std::span<char>> reserve(std::size_t size);
  /// `size` bytes of the space last reserved were filled.
  void commit(std::size_t size);
  /// The first `size` unread bytes are done with.
  void consume(std::size_t size);
  /// Valid until reserve, trim or destruction.
  [[nodiscard]] ByteView unread() const {
    return size_ == 0 ? ByteView{} : ByteView(block_.data.get() + begin_, size_);
  }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  /// Memory held at the moment.
  [[nodiscard]] std::size_t capacity() const { return block_.size; }

  /// Gives memory back: all of it when empty, else down to the smallest block that fits.
  /// Call before waiting for an idle peer.
  void trim();

 private:
  void move_to(BufferBlock block);

  BufferPool* pool_;
  std::size_t max_bytes_;
  BufferBlock block_;
  std::size_t begin_ = 0;
  std::size_t size_ = 0;
};

}  // namespace postern::proxy
