#include "base/bytes.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <optional>
#include <vector>

namespace postern {
namespace {

static_assert(std::endian::native == std::endian::little,
              "big-endian hosts need plain copies here");

template <typename T>
T load(const char* p) noexcept {
  T v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

template <typename T>
void store(char* p, T v) noexcept {
  std::memcpy(p, &v, sizeof v);
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Length of the well-formed UTF-8 sequence at `i` (Unicode table 3-7), 0 if there is none.
std::size_t utf8_sequence(ByteView s, std::size_t i) noexcept {
  const auto at = [&](std::size_t k) -> unsigned { return k < s.size() ? byte_at(s, k) : 0; };
  const auto tail = [&](std::size_t k) { return (at(k) & 0xC0U) == 0x80U; };
  const unsigned b = at(i);
  if (b < 0x80) return 1;
  if (b >= 0xC2 && b <= 0xDF) return tail(i + 1) ? 2 : 0;
  if (b >= 0xE0 && b <= 0xEF) {
    const unsigned lo = b == 0xE0 ? 0xA0 : 0x80;
    const unsigned hi = b == 0xED ? 0x9F : 0xBF;
    return at(i + 1) >= lo && at(i + 1) <= hi && tail(i + 2) ? 3 : 0;
  }
  if (b >= 0xF0 && b <= 0xF4) {
    const unsigned lo = b == 0xF0 ? 0x90 : 0x80;
    const unsigned hi = b == 0xF4 ? 0x8F : 0xBF;
    return at(i + 1) >= lo && at(i + 1) <= hi && tail(i + 2) && tail(i + 3) ? 4 : 0;
  }
  return 0;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substitute = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitute});
    }
  }
  return row[b.size()];
}

// How many bytes at the front are ASCII, counted by words: most texts are ASCII alone.
std::size_t ascii_prefix(ByteView bytes) noexcept {
  constexpr std::uint64_t kHighBits = 0x8080'8080'8080'8080U;
  std::size_t i = 0;
  for (std::uint64_t word = 0; i + sizeof word <= bytes.size(); i += sizeof word) {
    std::memcpy(&word, bytes.data() + i, sizeof word);
    if ((word & kHighBits) != 0) break;
  }
  return i;
}

}  // namespace

std::uint16_t load_be16(const char* p) noexcept {
  return __builtin_bswap16(load<std::uint16_t>(p));
}
std::uint32_t load_be32(const char* p) noexcept {
  return __builtin_bswap32(load<std::uint32_t>(p));
}
std::uint64_t load_be64(const char* p) noexcept {
  return __builtin_bswap64(load<std::uint64_t>(p));
}
void store_be16(char* p, std::uint16_t v) noexcept {
  store(p, __builtin_bswap16(v));
}
void store_be32(char* p, std::uint32_t v) noexcept {
  store(p, __builtin_bswap32(v));
}
void store_be64(char* p, std::uint64_t v) noexcept {
  store(p, __builtin_bswap64(v));
}

void append_be16(Bytes& out, std::uint16_t v) {
  char raw[sizeof v];
  store_be16(raw, v);
  out.append(raw, sizeof raw);
}
void append_be32(Bytes& out, std::uint32_t v) {
  char raw[sizeof v];
  store_be32(raw, v);
  out.append(raw, sizeof raw);
}
void append_be64(Bytes& out, std::uint64_t v) {
  char raw[sizeof v];
  store_be64(raw, v);
  out.append(raw, sizeof raw);
}

std::string to_hex(ByteView bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out(bytes.size() * 2, '\0');
  char* to = out.data();
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    *to++ = kDigits[byte >> 4];
    *to++ = kDigits[byte & 15];
  }
  return out;
}

std::optional<Bytes> from_hex(std::string_view hex) {
  if (hex.size() % 2 != 0) return std::nullopt;
  Bytes out;
  out.reserve(hex.size() / 2);
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    const int high = hex_digit(hex[i]);
    const int low = hex_digit(hex[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    out.push_back(static_cast<char>(high * 16 + low));
  }
  return out;
}

bool is_utf8(ByteView bytes) noexcept {
  for (std::size_t i = ascii_prefix(bytes); i < bytes.size();) {
    const std::size_t n = utf8_sequence(bytes, i);
    if (n == 0) return false;
    i += n;
  }
  return true;
}

void append_json_string(std::string& out, std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  out.push_back('"');
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t n = utf8_sequence(text, i);
    const auto c = static_cast<unsigned char>(text[i]);
    if (n == 0) {
      out.append("\xEF\xBF\xBD");
    } else if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(static_cast<char>(c));
    } else if (c < 0x20 || c == 0x7F) {
      out.append("\\u00");
      out.push_back(kDigits[c >> 4]);
      out.push_back(kDigits[c & 15]);
    } else {
      out.append(text.substr(i, n));
    }
    i += std::max<std::size_t>(n, 1);
  }
  out.push_back('"');
}

std::string_view nearest_word(std::string_view word, const std::string_view* first,
                              const std::string_view* last) {
  std::string_view best;
  std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
  for (; first != last; ++first) {
    // The distance is at least the difference in length: long texts of strangers cost nothing.
    const std::size_t longer = std::max(word.size(), first->size());
    if (longer - std::min(word.size(), first->size()) >= best_distance) continue;
    const std::size_t distance = edit_distance(word, *first);
    if (distance < best_distance) {
      best_distance = distance;
      best = *first;
    }
  }
  return best;
}

}  // namespace postern
