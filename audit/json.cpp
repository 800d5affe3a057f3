#include "audit/json.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "base/bytes.hpp"
#include "base/check.hpp"

namespace postern::audit {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// Length of the UTF-8 character at the front of `text`, 0 if its first byte begins none.
std::size_t character_length(std::string_view text) {
  if (byte_at(text, 0) < 0x80) return 1;
  for (std::size_t n = 2; n <= std::min<std::size_t>(4, text.size()); ++n) {
    if (is_utf8(text.substr(0, n))) return n;
  }
  return 0;
}

// RFC 8785 section 3.2.2.2.
void append_control(std::string& out, char c) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  switch (c) {
    case '\b':
      out.append("\\b");
      return;
    case '\t':
      out.append("\\t");
      return;
    case '\n':
      out.append("\\n");
      return;
    case '\f':
      out.append("\\f");
      return;
    case '\r':
      out.append("\\r");
      return;
    default:
      break;
  }
  out.append("\\u00");
  out.push_back(kDigits[static_cast<unsigned char>(c) >> 4]);
  out.push_back(kDigits[static_cast<unsigned char>(c) & 15]);
}

void append_character(std::string& out, std::string_view character) {
  const char c = character[0];
  if (c == '"' || c == '\\') {
    out.push_back('\\');
    out.push_back(c);
  } else if (static_cast<unsigned char>(c) < 0x20) {
    append_control(out, c);
  } else {
    out.append(character);
  }
}

bool is_plain(char c) {
  const auto u = static_cast<unsigned char>(c);
  return u >= 0x20 && u < 0x80 && u != '"' && u != '\\';
}

constexpr std::uint64_t in_each_byte(unsigned char value) {
  return 0x0101010101010101 * value;
}

// Whether eight bytes are plain. A borrow or carry between bytes can only say no where yes was
// right, and only if another byte is not plain: the answer for the eight is exact.
bool are_plain(const char* bytes) {
  std::uint64_t word = 0;
  std::memcpy(&word, bytes, sizeof word);
  const auto has_zero = [](std::uint64_t w) { return (w - in_each_byte(1)) & ~w; };
  const std::uint64_t odd = word | (word - in_each_byte(0x20)) |
                            has_zero(word ^ in_each_byte('"')) |
                            has_zero(word ^ in_each_byte('\\'));
  return (odd & in_each_byte(0x80)) == 0;
}

// How many bytes at the front stand for themselves.
std::size_t plain_prefix(std::string_view text) {
  std::size_t n = 0;
  while (text.size() - n >= sizeof(std::uint64_t) && are_plain(text.data() + n)) {
    n += sizeof(std::uint64_t);
  }
  while (n < text.size() && is_plain(text[n])) ++n;
  return n;
}

}  // namespace

bool append_canonical_string(std::string& out, std::string_view text, std::size_t max_encoded) {
  POSTERN_CHECK(max_encoded >= kCutMarker.size());
  out.push_back('"');
  if (text.size() <= max_encoded && plain_prefix(text) == text.size()) {
    out.append(text).push_back('"');
    return false;
  }
  const std::size_t start = out.size();
  const std::size_t end = start + max_encoded;
  const std::size_t last_cut = end - kCutMarker.size();  // a cut here leaves room for the marker
  std::size_t cut_at = start;
  while (!text.empty() && out.size() <= end) {
    if (out.size() <= last_cut) cut_at = out.size();
    std::size_t taken = plain_prefix(text);
    if (taken > 0) {
      taken = std::min(taken, end - out.size() + 1);
      if (out.size() <= last_cut) cut_at = std::min(out.size() + taken, last_cut);
      out.append(text.substr(0, taken));
    } else {
      const std::size_t n = character_length(text);
      append_character(out, n == 0 ? kReplacement : text.substr(0, n));
      taken = std::max<std::size_t>(n, 1);
    }
    text.remove_prefix(taken);
  }
  const bool cut = out.size() > end;
  if (cut) {
    out.resize(cut_at);
    out.append(kCutMarker);
  }
  out.push_back('"');
  return cut;
}

void JsonWriter::before_value() {
  if (depth_ == 0) return;
  Level& level = levels_[depth_ - 1];
  if (!level.after_key && !level.empty) out_.push_back(',');
  level.after_key = false;
  level.empty = false;
}

void JsonWriter::open(char bracket) {
  POSTERN_CHECK(depth_ < kMaxDepth);
  before_value();
  out_.push_back(bracket);
  levels_[depth_++] = {};
}

void JsonWriter::begin_object() {
  open('{');
}

void JsonWriter::end_object() {
  --depth_;
  out_.push_back('}');
}

void JsonWriter::begin_array() {
  open('[');
}

void JsonWriter::end_array() {
  --depth_;
  out_.push_back(']');
}

void JsonWriter::key(std::string_view name) {
  Level& level = levels_[depth_ - 1];
  POSTERN_CHECK(level.empty || level.last_key < name);
  out_.append(level.empty ? "\"" : ",\"").append(name).append("\":");
  level = {name, false, true};
}

bool JsonWriter::string(std::string_view text, std::size_t max_encoded) {
  before_value();
  return append_canonical_string(out_, text, max_encoded);
}

void JsonWriter::integer(std::int64_t value) {
  before_value();
  std::array<char, 20> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(),
                                 std::clamp(value, -kMaxJsonInteger, kMaxJsonInteger));
  out_.append(digits.data(), end.ptr);
}

void JsonWriter::unsigned_integer(std::uint64_t value) {
  integer(static_cast<std::int64_t>(std::min(value, static_cast<std::uint64_t>(kMaxJsonInteger))));
}

void JsonWriter::boolean(bool value) {
  before_value();
  out_.append(value ? "true" : "false");
}

void JsonWriter::raw(std::string_view json) {
  before_value();
  out_.append(json);
}

void JsonWriter::field_if(std::string_view name, std::string_view text) {
  if (!text.empty()) field(name, text);
}

void JsonWriter::field_if(std::string_view name, std::uint64_t value) {
  if (value != 0) field(name, value);
}

}  // namespace postern::audit
