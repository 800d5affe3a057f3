// A place in a list of views that is being written.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>

#include "base/bytes.hpp"

namespace postern::proxy {

/// What is left of some views. Borrows the span and the bytes; both must outlive it.
class Gather {
 public:
  explicit Gather(std::span<const ByteView> views) : views_(views) { skip_finished(); }

  [[nodiscard]] bool done() const { return views_.empty(); }

  /// The next bytes that lie in one piece, and whether nothing follows them. Not when done.
  [[nodiscard]] ByteView front() const { return views_.front().substr(offset_); }
  [[nodiscard]] bool is_last() const { return views_.size() == 1; }

  /// The next views, none empty, into `out`; returns how many.
  std::size_t peek(std::span<ByteView> out) const {
    std::size_t count = 0;
    std::size_t offset = offset_;
    for (const ByteView& view : views_) {
      if (count == out.size()) break;
      if (view.size() > offset) out[count++] = view.substr(offset);
      offset = 0;
    }
    return count;
  }

  /// The next bytes in one piece, at most scratch.size(): a view itself where it fills the piece
  /// or is the last, else copies in `scratch`. They count as written.
  ByteView take(std::span<char> scratch) {
    const ByteView first = views_.front().substr(offset_, scratch.size());
    if (first.size() == scratch.size() || views_.size() == 1) {
      advance(first.size());
      return first;
    }
    std::size_t filled = 0;
    while (!done() && filled < scratch.size()) {
      const ByteView piece = views_.front().substr(offset_, scratch.size() - filled);
      std::memcpy(scratch.data() + filled, piece.data(), piece.size());
      filled += piece.size();
      advance(piece.size());
    }
    return {scratch.data(), filled};
  }

  /// `size` bytes more were written.
  void advance(std::size_t size) {
    while (size > 0) {
      const std::size_t n = std::min(size, views_.front().size() - offset_);
      offset_ += n;
      size -= n;
      skip_finished();
    }
  }

 private:
  void skip_finished() {
    while (!views_.empty() && offset_ == views_.front().size()) {
      views_ = views_.subspan(1);
      offset_ = 0;
    }
  }

  std::span<const ByteView> views_;
  std::size_t offset_ = 0;
};

}  // namespace postern::proxy
