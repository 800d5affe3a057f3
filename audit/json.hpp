// Canonical JSON: sorted keys, no whitespace, integers only. For this subset the output equals
// RFC 8785 (JCS), so that other tools can re-create the bytes that are hashed.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace postern::audit {

/// Largest integer magnitude that survives an IEEE double (RFC 8785); larger ones saturate.
inline constexpr std::int64_t kMaxJsonInteger = (std::int64_t{1} << 53) - 1;

/// Appended to a text that was cut to its limit.
inline constexpr std::string_view kCutMarker = "\xE2\x80\xA6[cut]";

/// Appends `text` with quotes and RFC 8785 escapes; bytes that are not UTF-8 become U+FFFD.
/// At most `max_encoded` bytes between the quotes: a longer text is cut at a character and ends
/// with kCutMarker. Returns whether it was cut.
bool append_canonical_string(std::string& out, std::string_view text, std::size_t max_encoded);

/// Writes one JSON value into a string. Keys must arrive in ascending byte order within each
/// object and be literals (they are kept as views); a wrong order is a programming error.
class JsonWriter {
 public:
  static constexpr std::size_t kMaxDepth = 6;
  /// Limit of a string value whose caller gives none.
  static constexpr std::size_t kShortText = 512;

  explicit JsonWriter(std::string& out) : out_(out) {}

  /// Bytes in the output string so far.
  [[nodiscard]] std::size_t size() const { return out_.size(); }

  void begin_object();
  void end_object();
  void begin_array();
  void end_array();
  void key(std::string_view name);

  /// Returns whether the text was cut.
  bool string(std::string_view text, std::size_t max_encoded = kShortText);
  void integer(std::int64_t value);
  void unsigned_integer(std::uint64_t value);
  void boolean(bool value);
  /// A value that is canonical JSON already.
  void raw(std::string_view json);

  /// key and value in one call; the `_if` forms write nothing for an empty text or zero.
  void field(std::string_view name, std::string_view text) { key(name), string(text); }
  void field(std::string_view name, const char* text) { field(name, std::string_view(text)); }
  void field(std::string_view name, std::int64_t value) { key(name), integer(value); }
  void field(std::string_view name, std::uint64_t value) { key(name), unsigned_integer(value); }
  void field_if(std::string_view name, std::string_view text);
  void field_if(std::string_view name, std::uint64_t value);

 private:
  struct Level {
    std::string_view last_key;
    bool empty = true;
    bool after_key = false;
  };
  void before_value();
  void open(char bracket);

  std::string& out_;
  std::array<Level, kMaxDepth> levels_{};
  std::size_t depth_ = 0;
};

}  // namespace postern::audit
