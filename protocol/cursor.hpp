// Cursor: the only way message bytes are read. It never reads past the body it was given.
#pragma once

#include <cstdint>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace postern::protocol {

/// PST-1101 with `what` as particulars.
Error violation(std::string_view what);

/// Reads a message body from front to back. All multi-byte integers are big-endian. Views it
/// returns point into the body and live as long as the caller's buffer. Any read beyond the end is
/// kProtocolViolation and leaves the position unchanged.
class Cursor {
 public:
  explicit Cursor(ByteView body) noexcept : rest_(body) {}

  Result<std::uint8_t> u8() {
    if (rest_.empty()) return short_read();
    return byte_at(take(1), 0);
  }
  Result<std::uint16_t> u16() {
    if (rest_.size() < 2) return short_read();
    return load_be16(take(2).data());
  }
  Result<std::int16_t> i16() {
    if (rest_.size() < 2) return short_read();
    return static_cast<std::int16_t>(load_be16(take(2).data()));
  }
  Result<std::uint32_t> u32() {
    if (rest_.size() < 4) return short_read();
    return load_be32(take(4).data());
  }
  Result<std::int32_t> i32() {
    if (rest_.size() < 4) return short_read();
    return static_cast<std::int32_t>(load_be32(take(4).data()));
  }
  /// Exactly `n` bytes.
  Result<ByteView> bytes(std::size_t n) {
    if (rest_.size() < n) return short_read();
    return take(n);
  }
  /// Bytes up to the next NUL, which is consumed but not returned.
  Result<ByteView> cstring();
  /// An unsigned 16-bit element count, refused where the rest of the body cannot hold that many
  /// elements of at least `min_element` bytes. Check counts so before anything is sized by them.
  Result<std::uint16_t> count16(std::size_t min_element);
  /// Everything left; afterwards the cursor is at the end.
  ByteView rest() { return take(rest_.size()); }
  /// Error unless the whole body was consumed.
  [[nodiscard]] Status done() const;

  [[nodiscard]] std::size_t remaining() const noexcept { return rest_.size(); }
  /// What is left, without consuming it.
  [[nodiscard]] ByteView peek() const noexcept { return rest_; }

 private:
  ByteView take(std::size_t n) {
    const ByteView taken = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return taken;
  }
  static Error short_read();

  ByteView rest_;
};

}  // namespace postern::protocol
