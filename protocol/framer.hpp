// Framer: finds message borders in a byte stream. It owns no bytes and copies none.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "protocol/wire.hpp"

namespace postern::protocol {

/// What the first bytes of a message promise.
struct Header {
  char type = 0;           ///< 0 for startup packets, which have none
  std::uint8_t size = 0;   ///< bytes of type and length word: 5, or 4 for startup packets
  std::uint32_t body = 0;  ///< bytes that follow the header
  [[nodiscard]] std::size_t total() const { return std::size_t{size} + body; }
};

/// A whole message. Views point into the caller's buffer.
struct Frame {
  char type = 0;
  ByteView body;   ///< without type and length word
  ByteView whole;  ///< exactly as received; forward this to pass the message on unchanged

  [[nodiscard]] FrontendType frontend() const { return static_cast<FrontendType>(type); }
  [[nodiscard]] BackendType backend() const { return static_cast<BackendType>(type); }
};

/// T, or the number of unread bytes (in total, not additionally) needed before asking again.
template <typename T>
struct Framed {
  std::size_t need = 0;  ///< 0: `item` is there; else at least this many unread bytes are needed
  T item{};
  [[nodiscard]] bool complete() const { return need == 0; }
};

/// Stateless but for the phase: the same unread bytes give the same answer. A type byte is
/// validated before its length word. Not for use from several threads at once.
///
/// Small messages: `next(unread)` until it is not complete; drop `frame.whole.size()` bytes each
/// time. Large ones: `header(unread)` first; where `total()` is more than one wants to hold, drop
/// `header.size` bytes and treat the following `header.body` bytes of the stream as the body.
///
/// Errors: kProtocolViolation for a type not allowed in this phase or a length word below its
/// minimum, kMessageTooLarge for one above the limit of the type (table in framer.cpp). After an
/// error the stream is out of step: close the connection.
class Framer {
 public:
  /// `large_limit` bounds the length word of statement and data messages; it is cut to
  /// kMaxLargeLength.
  Framer(Direction direction, Phase phase, std::uint32_t large_limit = kMaxLargeLength) noexcept;

  void set_phase(Phase phase) noexcept { phase_ = phase; }
  [[nodiscard]] Phase phase() const noexcept { return phase_; }

  [[nodiscard]] Result<Framed<Header>> header(ByteView unread) const;
  [[nodiscard]] Result<Framed<Frame>> next(ByteView unread) const;

 private:
  [[nodiscard]] Result<Framed<Header>> startup_header(ByteView unread) const;

  Direction direction_;
  Phase phase_;
  std::uint32_t large_limit_;
};

}  // namespace postern::protocol
