#include "protocol/lists.hpp"

namespace postern::protocol {

Status check_formats(const FormatList& formats, std::size_t items) {
  if (formats.size() > 1 && formats.size() != items) {
    return violation("number of format codes does not match");
  }
  for (std::size_t i = 0; i < formats.size(); ++i) {
    if (formats[i] != kTextFormat && formats[i] != kBinaryFormat) {
      return violation("unknown format code");
    }
  }
  return ok();
}

Result<ValueList> ValueList::read(Cursor& in) {
  POSTERN_ASSIGN(const std::uint16_t count, in.count16(4));
  const ByteView body = in.peek();
  std::size_t at = 0;
  for (std::uint16_t i = 0; i < count; ++i) {
    if (body.size() - at < 4) return violation("value list ends too early");
    const std::uint32_t length = load_be32(body.data() + at);
    at += 4;
    if (length == kNull) continue;
    // Other negative lengths are above any possible remainder, so one comparison refuses both.
    if (length > body.size() - at) return violation("value length exceeds the message");
    at += length;
  }
  POSTERN_ASSIGN(const ByteView values, in.bytes(at));
  return ValueList(values, count);
}

void ValueList::append(Bytes& storage, Value value) {
  POSTERN_CHECK(!value || value->size() <= kMaxLargeLength);
  append_be32(storage, value ? static_cast<std::uint32_t>(value->size()) : kNull);
  if (value) storage.append(*value);
}

Value ValueList::operator[](std::size_t i) const {
  POSTERN_CHECK(i < count_);
  Iterator it = begin();
  for (; i > 0; --i) ++it;
  return *it;
}

void ValueList::write(MessageWriter& out) const {
  out.u16(count_);
  out.bytes(bytes_);
}

}  // namespace postern::protocol
