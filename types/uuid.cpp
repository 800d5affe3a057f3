#include "types/uuid.hpp"

#include "base/codes/types.hpp"

namespace postern::types {

Result<Bytes> parse_uuid(std::string_view text) {
  if (text.starts_with('{')) {
    if (!text.ends_with('}')) return make_error(pst::kInvalidTextValue);
    text = text.substr(1, text.size() - 2);
  }
  Bytes bytes;
  while (bytes.size() < kUuidBytes) {
    const auto byte = text.size() >= 2 ? from_hex(text.substr(0, 2)) : std::nullopt;
    if (!byte) return make_error(pst::kInvalidTextValue);
    bytes += *byte;
    text.remove_prefix(2);
    const bool hyphen_allowed = bytes.size() % 2 == 0 && bytes.size() < kUuidBytes;
    if (hyphen_allowed && text.starts_with('-')) text.remove_prefix(1);
  }
  if (!text.empty()) return make_error(pst::kInvalidTextValue);
  return bytes;
}

void append_uuid(ByteView uuid, Bytes& out) {
  const std::string digits = to_hex(uuid);
  const std::string_view d(digits);
  out.append(d.substr(0, 8)).push_back('-');
  out.append(d.substr(8, 4)).push_back('-');
  out.append(d.substr(12, 4)).push_back('-');
  out.append(d.substr(16, 4)).push_back('-');
  out.append(d.substr(20));
}

}  // namespace postern::types
