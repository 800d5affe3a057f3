#include "protocol/writer.hpp"

#include "base/codes/wire.hpp"
#include "protocol/cursor.hpp"

namespace postern::protocol {

MessageWriter::MessageWriter(Bytes& out, char type)
    : out_(out), start_(out.size()), length_at_(start_ + 1) {
  out_.push_back(type);
  out_.append(4, '\0');
}

MessageWriter::MessageWriter(Bytes& out) : out_(out), start_(out.size()), length_at_(start_) {
  out_.append(4, '\0');
}

void MessageWriter::cstring(ByteView text) {
  if (text.find('\0') != ByteView::npos) state_ = State::kRefused;
  out_.append(text);
  out_.push_back('\0');
}

Status MessageWriter::finish(std::uint32_t limit) {
  POSTERN_CHECK(state_ != State::kFinished);
  const std::size_t length = out_.size() - length_at_;
  const bool sendable = state_ == State::kOpen && length <= limit;
  state_ = State::kFinished;
  if (!sendable) {
    out_.resize(start_);
    return make_error(pst::kNotEncodable);
  }
  store_be32(out_.data() + length_at_, static_cast<std::uint32_t>(length));
  return ok();
}

Status expect_empty(ByteView body) {
  if (!body.empty()) return violation("message has excess bytes");
  return ok();
}

}  // namespace postern::protocol
