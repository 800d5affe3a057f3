// MessageWriter: appends one message to a buffer; the length word is written last.
#pragma once

#include <cstdint>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "protocol/wire.hpp"

namespace postern::protocol {

/// Appends type, length and body to `out`, which must outlive the writer and not be changed by
/// others until `finish`. Fields are appended in call order, integers big-endian.
///
///   MessageWriter m(out, FrontendType::kQuery);
///   m.cstring(text);
///   return m.finish();
///
/// An unfinished writer takes its bytes back when destroyed, so an early return never leaves half
/// a message behind.
class MessageWriter {
 public:
  MessageWriter(Bytes& out, FrontendType type) : MessageWriter(out, static_cast<char>(type)) {}
  MessageWriter(Bytes& out, BackendType type) : MessageWriter(out, static_cast<char>(type)) {}
  /// A message without type byte: startup packets only.
  static MessageWriter untyped(Bytes& out) { return MessageWriter(out); }
  MessageWriter(const MessageWriter&) = delete;
  MessageWriter& operator=(const MessageWriter&) = delete;
  ~MessageWriter() {
    if (state_ != State::kFinished) out_.resize(start_);
  }

  void u8(std::uint8_t v) { out_.push_back(static_cast<char>(v)); }
  void i16(std::int16_t v) { append_be16(out_, static_cast<std::uint16_t>(v)); }
  void u16(std::uint16_t v) { append_be16(out_, v); }
  void i32(std::int32_t v) { append_be32(out_, static_cast<std::uint32_t>(v)); }
  void u32(std::uint32_t v) { append_be32(out_, v); }
  void bytes(ByteView v) { out_.append(v); }
  /// Text and its terminator. Text holding a NUL cannot be sent: `finish` then fails, because
  /// cutting it would change its meaning.
  void cstring(ByteView text);
  /// A counted value: int32 length and bytes.
  void counted(ByteView value) {
    if (value.size() > kMaxLargeLength) state_ = State::kRefused;
    u32(static_cast<std::uint32_t>(value.size()));
    bytes(value);
  }
  /// Marks the message as not sendable; `finish` will fail with kNotEncodable.
  void refuse() { state_ = State::kRefused; }

  /// Writes the length word. kNotEncodable (PST-1105) where the content cannot be sent; then
  /// nothing was appended.
  /// `limit` bounds the length word.
  Status finish(std::uint32_t limit = kMaxLargeLength);
  /// For messages that cannot fail by construction; aborts if they do.
  void finish_checked() { POSTERN_CHECK(finish().has_value()); }

 private:
  enum class State : std::uint8_t { kOpen, kRefused, kFinished };
  MessageWriter(Bytes& out, char type);
  explicit MessageWriter(Bytes& out);

  Bytes& out_;
  std::size_t start_;
  std::size_t length_at_;
  State state_ = State::kOpen;
};

/// A message without body, e.g. Sync or ParseComplete.
template <auto kType>
struct EmptyMessage {
  /// kProtocolViolation where the body is not empty.
  static Result<EmptyMessage> decode(ByteView body);
  void encode(Bytes& out) const { MessageWriter(out, kType).finish_checked(); }
  friend bool operator==(EmptyMessage, EmptyMessage) = default;
};

/// kProtocolViolation unless `body` is empty.
Status expect_empty(ByteView body);

template <auto kType>
Result<EmptyMessage<kType>> EmptyMessage<kType>::decode(ByteView body) {
  POSTERN_TRY(expect_empty(body));
  return EmptyMessage{};
}

}  // namespace postern::protocol
