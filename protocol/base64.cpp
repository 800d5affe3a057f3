#include "protocol/base64.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace postern::protocol {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t kForeign = 0xFF;

constexpr std::array<std::uint8_t, 256> make_reverse() {
  std::array<std::uint8_t, 256> table{};
  table.fill(kForeign);
  for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
    table[static_cast<std::uint8_t>(kAlphabet[i])] = static_cast<std::uint8_t>(i);
  }
  return table;
}
constexpr auto kReverse = make_reverse();

/// The value of four characters, the last `padding` of which are '='; nullopt if any is foreign.
std::optional<std::uint32_t> group_value(ByteView group, std::size_t padding) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    const std::uint8_t bits = i < 4 - padding ? kReverse[byte_at(group, i)] : 0;
    if (bits == kForeign) return std::nullopt;
    value = (value << 6) | bits;
  }
  return value;
}

}  // namespace

Bytes to_base64(ByteView bytes) {
  Bytes text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t present = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t value = 0;
    for (std::size_t j = 0; j < 3; ++j)
      value = (value << 8) | (j < present ? byte_at(bytes, i + j) : 0U);
    for (std::size_t j = 0; j < 4; ++j) {
      text.push_back(j <= present ? kAlphabet[(value >> (18 - 6 * j)) & 63U] : '=');
    }
  }
  return text;
}

std::optional<Bytes> from_base64(ByteView text) {
  if (text.size() % 4 != 0) return std::nullopt;
  Bytes bytes;
  bytes.reserve(text.size() / 4 * 3);
  for (std::size_t i = 0; i < text.size(); i += 4) {
    const ByteView group = text.substr(i, 4);
    std::size_t padding = 0;
    if (i + 4 == text.size()) padding = group.ends_with("==") ? 2 : group.ends_with('=') ? 1 : 0;
    const auto value = group_value(group, padding);
    if (!value || (*value & ((1U << (8 * padding)) - 1)) != 0) return std::nullopt;
    for (std::size_t j = 0; j < 3 - padding; ++j) {
      bytes.push_back(static_cast<char>((*value >> (16 - 8 * j)) & 0xFFU));
    }
  }
  return bytes;
}

}  // namespace postern::protocol
