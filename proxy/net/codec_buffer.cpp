#include "proxy/net/codec_buffer.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>
#include <utility>

#include "base/codes/net.hpp"

namespace postern::proxy {
namespace {

std::size_t block_size(std::size_t size) {
  return std::bit_ceil(std::max(size, BufferPool::kSmallest));
}

/// Free list of a block size that is kept.
std::size_t size_class(std::size_t block) {
  return static_cast<std::size_t>(std::countr_zero(block / BufferPool::kSmallest));
}

}  // namespace

BufferBlock BufferPool::take(std::size_t size) {
  const std::size_t block = block_size(size);
  if (block <= kLargestKept) {
    auto& list = free_[size_class(block)];
    if (!list.empty()) {
      BufferBlock found = std::move(list.back());
      list.pop_back();
      idle_bytes_ -= found.size;
      return found;
    }
  }
  // Not make_unique: it would clear memory that is about to be overwritten.
  return {std::unique_ptr<char[]>(new char[block]), block};
}

void BufferPool::give(BufferBlock block) {
  if (block.size == 0 || block.size > kLargestKept) return;
  if (idle_bytes_ + block.size > kMaxIdleBytes) return;
  idle_bytes_ += block.size;
  free_[size_class(block.size)].push_back(std::move(block));
}

ReadBuffer::ReadBuffer(ReadBuffer&& other) noexcept
    : pool_(other.pool_),
      max_bytes_(other.max_bytes_),
      block_{std::move(other.block_.data), std::exchange(other.block_.size, 0)},
      begin_(std::exchange(other.begin_, 0)),
      size_(std::exchange(other.size_, 0)) {}

ReadBuffer& ReadBuffer::operator=(ReadBuffer&& other) noexcept {
  if (this == &other) return *this;
  pool_->give(std::move(block_));
  pool_ = other.pool_;
  max_bytes_ = other.max_bytes_;
  block_ = {std::move(other.block_.data), std::exchange(other.block_.size, 0)};
  begin_ = std::exchange(other.begin_, 0);
  size_ = std::exchange(other.size_, 0);
  return *this;
}

ReadBuffer::~ReadBuffer() {
  pool_->give(std::move(block_));
}

Result<std::span<char>> ReadBuffer::reserve(std::size_t size) {
  POSTERN_CHECK(size > 0);
  if (size > max_bytes_ || size_ > max_bytes_ - size) {
    return make_error(pst::kBufferLimit, std::to_string(size_) + " bytes waiting and " +
                                             std::to_string(size) + " more exceed " +
                                             std::to_string(max_bytes_));
  }
  if (size_ == 0) begin_ = 0;
  if (size_ + size > block_.size) {
    move_to(pool_->take(size_ + size));
  } else if (begin_ + size_ + size > block_.size) {
    std::memmove(block_.data.get(), block_.data.get() + begin_, size_);
    begin_ = 0;
  }
  const std::size_t used = begin_ + size_;
  const std::size_t room = std::min(block_.size - used, max_bytes_ - size_);
  return std::span<char>(block_.data.get() + used, room);
}

void ReadBuffer::commit(std::size_t size) {
  POSTERN_CHECK(size <= block_.size - begin_ - size_);
  size_ += size;
}

void ReadBuffer::consume(std::size_t size) {
  POSTERN_CHECK(size <= size_);
  begin_ += size;
  size_ -= size;
}

void ReadBuffer::trim() {
  if (size_ == 0) {
    pool_->give(std::exchange(block_, {}));
    begin_ = 0;
    return;
  }
  if (block_size(size_) < block_.size) move_to(pool_->take(size_));
}

void ReadBuffer::move_to(BufferBlock block) {
  if (size_ > 0) std::memcpy(block.data.get(), block_.data.get() + begin_, size_);
  pool_->give(std::exchange(block_, std::move(block)));
  begin_ = 0;
}

}  // namespace postern::proxy
