#include "types/text.hpp"

#include <algorithm>

#include "base/codes/types.hpp"

namespace postern::types {
namespace {

bool is_continuation(char c) {
  return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
}

// Bytes that the first `count` characters take; the text is valid UTF-8.
std::size_t bytes_of_characters(ByteView text, std::size_t count) {
  std::size_t i = 0;
  while (i < text.size()) {
    if (!is_continuation(text[i]) && count-- == 0) break;
    ++i;
  }
  return i;
}

// Length that the lead byte announces.
std::size_t announced_length(char lead) {
  const auto b = static_cast<unsigned char>(lead);
  if ((b & 0xE0U) == 0xC0U) return 2;
  if ((b & 0xF0U) == 0xE0U) return 3;
  if ((b & 0xF8U) == 0xF0U) return 4;
  return 1;
}

}  // namespace

Result<ByteView> fit_text(ByteView text, std::int32_t length) {
  const auto limit = static_cast<std::size_t>(length);
  if (length == 0 || text.size() <= limit) return text;
  const std::size_t kept = bytes_of_characters(text, limit);
  const ByteView excess = text.substr(kept);
  const bool only_spaces =
      std::all_of(excess.begin(), excess.end(), [](char c) { return c == ' '; });
  if (!only_spaces) {
    return make_error(pst::kStringTooLong, "character varying(" + std::to_string(length) + ")");
  }
  return text.substr(0, kept);
}

std::size_t find_bad_character(ByteView text) noexcept {
  if (is_utf8(text) && text.find('\0') == ByteView::npos) return ByteView::npos;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t n = announced_length(text[i]);
    if (text[i] == '\0' || i + n > text.size() || !is_utf8(text.substr(i, n))) return i;
    i += n;
  }
  return ByteView::npos;
}

}  // namespace postern::types
