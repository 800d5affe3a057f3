#include "protocol/cursor.hpp"

#include "base/codes/wire.hpp"

namespace postern::protocol {

Error violation(std::string_view what) {
  return make_error(pst::kProtocolViolation, std::string(what));
}

Error Cursor::short_read() {
  return violation("message ends too early");
}

Result<ByteView> Cursor::cstring() {
  const std::size_t end = rest_.find('\0');
  if (end == ByteView::npos) return violation("string without terminator");
  const ByteView text = take(end);
  rest_.remove_prefix(1);
  return text;
}

Result<std::uint16_t> Cursor::count16(std::size_t min_element) {
  if (rest_.size() < 2) return short_read();
  const std::uint16_t count = load_be16(rest_.data());
  if (std::size_t{count} * min_element > rest_.size() - 2) {
    return violation("element count exceeds the message");
  }
  rest_.remove_prefix(2);
  return count;
}

Status Cursor::done() const {
  if (!rest_.empty()) return violation("message has excess bytes");
  return ok();
}

}  // namespace postern::protocol
