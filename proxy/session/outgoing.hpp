// Output in order, part views, part own bytes, written with few calls.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "base/bytes.hpp"

namespace postern::proxy {

/// Collects what is to be written to one peer. Unmodified messages are added as views into the
/// read buffer (adjacent ones merge), made ones are appended to own(). Not thread-safe.
class Outgoing {
 public:
  /// The bytes must stay valid until the next clear().
  void add_view(ByteView bytes);
  /// Messages made here are appended to this buffer; they take their place in the order of calls.
  Bytes& own();

  [[nodiscard]] bool empty() const { return total() == 0; }
  [[nodiscard]] std::size_t total() const { return viewed_ + own_.size(); }
  /// The parts in order; valid until the next change of this object.
  const std::vector<ByteView>& views();
  /// Forgets everything; keeps modest memory for the next round.
  void clear();
  /// Copies the viewed bytes, so that the buffer they lie in may change.
  void detach();

  friend void swap(Outgoing& one, Outgoing& other) noexcept {
    one.own_.swap(other.own_);
    one.pieces_.swap(other.pieces_);
    one.views_.swap(other.views_);
    std::swap(one.viewed_, other.viewed_);
  }

 private:
  struct Piece {
    bool is_own;
    std::size_t begin;  ///< own: offset; its end is where the next piece begins
    ByteView view;
  };
  static constexpr std::size_t kKeptBytes = 64 * 1024;

  Bytes own_;
  std::vector<Piece> pieces_;
  std::vector<ByteView> views_;
  std::size_t viewed_ = 0;
};

}  // namespace postern::proxy
