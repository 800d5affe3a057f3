// Bytes as the rest of the house passes them around, and the few conversions everyone needs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace postern {

/// Owned bytes. May hold any value, including NUL.
using Bytes = std::string;
/// Borrowed bytes; the owner and lifetime are stated wherever one is returned or stored.
using ByteView = std::string_view;

inline std::uint8_t byte_at(ByteView bytes, std::size_t i) {
  return static_cast<std::uint8_t>(bytes[i]);
}

/// Network byte order, unaligned. The caller guarantees that enough bytes are present.
std::uint16_t load_be16(const char* p) noexcept;
std::uint32_t load_be32(const char* p) noexcept;
std::uint64_t load_be64(const char* p) noexcept;
void store_be16(char* p, std::uint16_t v) noexcept;
void store_be32(char* p, std::uint32_t v) noexcept;
void store_be64(char* p, std::uint64_t v) noexcept;
void append_be16(Bytes& out, std::uint16_t v);
void append_be32(Bytes& out, std::uint32_t v);
void append_be64(Bytes& out, std::uint64_t v);

/// Lower-case hexadecimal.
std::string to_hex(ByteView bytes);
/// Accepts both cases; nullopt on odd length or a foreign character.
std::optional<Bytes> from_hex(std::string_view hex);

/// Well-formed UTF-8 per Unicode (no surrogates, no overlong forms); NUL is allowed here.
bool is_utf8(ByteView bytes) noexcept;

/// Appends `text` as a JSON string with quotes; control characters are escaped, bytes that are
/// not UTF-8 become U+FFFD, so the output is always valid JSON.
void append_json_string(std::string& out, std::string_view text);

/// The candidate nearest to `word` by edit distance, empty if none is within a third of its length.
std::string_view nearest_word(std::string_view word, const std::string_view* first,
                              const std::string_view* last);

}  // namespace postern
