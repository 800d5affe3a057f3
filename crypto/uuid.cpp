#include "crypto/uuid.hpp"

#include <algorithm>

#include "base/codes/crypto.hpp"
#include "crypto/init.hpp"

namespace postern::crypto {
namespace {

constexpr std::size_t kTextLength = 36;

constexpr bool is_dash_position(std::size_t i) {
  return i == 8 || i == 13 || i == 18 || i == 23;
}

}  // namespace

Result<Uuid> parse_uuid(std::string_view text) {
  if (text.size() != kTextLength) return make_error(pst::kBadUuid);
  std::string digits;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (is_dash_position(i) != (text[i] == '-')) return make_error(pst::kBadUuid);
    if (text[i] != '-') digits.push_back(text[i]);
  }
  const auto bytes = from_hex(digits);
  if (!bytes) return make_error(pst::kBadUuid);
  Uuid uuid;
  std::copy(bytes->begin(), bytes->end(), uuid.begin());
  return uuid;
}

std::string to_text(const Uuid& uuid) {
  std::string text = to_hex(as_bytes(uuid));
  for (const std::size_t dash : {8, 13, 18, 23}) text.insert(dash, 1, '-');
  return text;
}

Uuid random_uuid() {
  const Bytes bytes = random_bytes(16);
  Uuid uuid;
  std::copy(bytes.begin(), bytes.end(), uuid.begin());
  uuid[6] = static_cast<char>((uuid[6] & 0x0F) | 0x40);  // version 4
  uuid[8] = static_cast<char>((uuid[8] & 0x3F) | 0x80);  // RFC 4122 variant
  return uuid;
}

}  // namespace postern::crypto
