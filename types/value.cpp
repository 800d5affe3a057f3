#include "types/value.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "base/check.hpp"
#include "base/codes/types.hpp"
#include "types/date.hpp"
#include "types/integer.hpp"
#include "types/text.hpp"
#include "types/uuid.hpp"

namespace postern::types {
namespace {

constexpr std::size_t kIntegerBytes = 8;
constexpr std::size_t kDateBytes = 4;

// A short string leaves its bytes behind when moved, hence the wipe.
Secret take(Bytes& bytes) {
  Secret secret(std::move(bytes));
  wipe(bytes);
  return secret;
}

Secret canonical_integer(std::int64_t value) {
  Bytes bytes;
  append_be64(bytes, static_cast<std::uint64_t>(value));
  return take(bytes);
}

Secret canonical_date(Days days) {
  Bytes bytes;
  append_be32(bytes, static_cast<std::uint32_t>(days));
  return take(bytes);
}

Error bad_canonical(const LogicalType& type) {
  return make_error(pst::kBadCanonicalValue, sql_name(type));
}

IntWidth width_of(const LogicalType& type) {
  return static_cast<IntWidth>(type_length(type));
}

// PostgreSQL's pq_getmsg and bind checks: all bytes of a fixed-length type, no more.
Status check_length(ByteView bytes, std::size_t expected) {
  if (bytes.size() < expected) return make_error(pst::kShortBinaryValue);
  if (bytes.size() > expected) return make_error(pst::kInvalidBinaryValue);
  return ok();
}

std::int64_t load_signed(ByteView bytes, IntWidth width) {
  switch (width) {
    case IntWidth::k2:
      return static_cast<std::int16_t>(load_be16(bytes.data()));
    case IntWidth::k4:
      return static_cast<std::int32_t>(load_be32(bytes.data()));
    case IntWidth::k8:
      break;
  }
  return static_cast<std::int64_t>(load_be64(bytes.data()));
}

Result<Secret> parse_integer_value(const Input& input, const LogicalType& type) {
  const IntWidth width = width_of(type);
  if (input.format == Format::kBinary) {
    POSTERN_TRY(check_length(input.bytes, static_cast<std::size_t>(width)));
    return canonical_integer(load_signed(input.bytes, width));
  }
  auto value = parse_integer(input.bytes, width);
  if (!value) return make_error(value.error().code, sql_name(type));
  return canonical_integer(*value);
}

Result<Secret> parse_uuid_value(const Input& input) {
  if (input.format == Format::kBinary) {
    POSTERN_TRY(check_length(input.bytes, kUuidBytes));
    return Secret(Bytes(input.bytes));
  }
  auto bytes = parse_uuid(input.bytes);
  if (!bytes) return make_error(bytes.error().code, "uuid");
  return take(*bytes);
}

Result<Secret> parse_date_value(const Input& input, const Render& settings) {
  if (input.format == Format::kText) {
    POSTERN_ASSIGN(const Days days, parse_date(input.bytes, settings.date_order));
    return canonical_date(days);
  }
  POSTERN_TRY(check_length(input.bytes, kDateBytes));
  const auto days = static_cast<Days>(load_be32(input.bytes.data()));
  if (!is_valid_date(days)) return make_error(pst::kDateOutOfRange);
  return canonical_date(days);
}

Result<Secret> parse_text_value(const Input& input, const LogicalType& type,
                                const Render& settings) {
  if (!settings.utf8) return make_error(pst::kSettingNotSupported, "client_encoding");
  POSTERN_ASSIGN(const ByteView stored, fit_text(input.bytes, type.length));
  return Secret(Bytes(stored));
}

Status render_integer(ByteView canonical, const LogicalType& type, Format format, Bytes& out) {
  if (canonical.size() != kIntegerBytes) return bad_canonical(type);
  const auto value = static_cast<std::int64_t>(load_be64(canonical.data()));
  const IntWidth width = width_of(type);
  if (!fits(value, width)) return bad_canonical(type);
  if (format == Format::kBinary) {
    out.append(canonical.substr(kIntegerBytes - static_cast<std::size_t>(width)));
    return ok();
  }
  std::array<char, 24> digits;
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  POSTERN_CHECK(error == std::errc{});
  out.append(digits.data(), end);
  return ok();
}

Status render_uuid(ByteView canonical, const LogicalType& type, Format format, Bytes& out) {
  if (canonical.size() != kUuidBytes) return bad_canonical(type);
  if (format == Format::kBinary) {
    out.append(canonical);
  } else {
    append_uuid(canonical, out);
  }
  return ok();
}

Status render_date(ByteView canonical, const LogicalType& type, const Output& output, Bytes& out) {
  if (canonical.size() != kDateBytes) return bad_canonical(type);
  const auto days = static_cast<Days>(load_be32(canonical.data()));
  if (!is_valid_date(days)) return bad_canonical(type);
  if (output.format == Format::kBinary) {
    out.append(canonical);
  } else {
    append_date(days, output.settings, out);
  }
  return ok();
}

// The offending bytes as PostgreSQL lists them: as many as the lead byte announces and there are.
std::string bad_character_message(ByteView text) {
  const std::size_t at = find_bad_character(text);
  std::string message = "invalid byte sequence for encoding \"UTF8\":";
  if (at == ByteView::npos) return message;
  const unsigned lead = byte_at(text, at);
  const std::size_t announced = (lead & 0xE0U) == 0xC0U   ? 2
                                : (lead & 0xF0U) == 0xE0U ? 3
                                : (lead & 0xF8U) == 0xF0U ? 4
                                                          : 1;
  for (const char c : text.substr(at, announced)) message += " 0x" + to_hex({&c, 1});
  return message;
}

std::string quoted(const Input& input) {
  return "\"" + std::string(input.bytes) + "\"";
}

}  // namespace

Result<Secret> parse(const Input& input, const LogicalType& type, const Render& render) {
  // The server checks the encoding of every text value before its type's input function.
  const bool checked = input.format == Format::kText || type_family(type) == TypeFamily::kText;
  if (checked && find_bad_character(input.bytes) != ByteView::npos) {
    return make_error(pst::kBadCharacter);
  }
  switch (type_family(type)) {
    case TypeFamily::kText:
      return parse_text_value(input, type, render);
    case TypeFamily::kInteger:
      return parse_integer_value(input, type);
    case TypeFamily::kUuid:
      return parse_uuid_value(input);
    case TypeFamily::kDate:
      return parse_date_value(input, render);
  }
  return make_error(pst::kTypeNotSupported);
}

Status render(ByteView canonical, const LogicalType& type, const Output& output, Bytes& out) {
  switch (type_family(type)) {
    case TypeFamily::kText:
      if (!output.settings.utf8) return make_error(pst::kSettingNotSupported, "client_encoding");
      out.append(canonical);
      return ok();
    case TypeFamily::kInteger:
      return render_integer(canonical, type, output.format, out);
    case TypeFamily::kUuid:
      return render_uuid(canonical, type, output.format, out);
    case TypeFamily::kDate:
      return render_date(canonical, type, output, out);
  }
  return make_error(pst::kTypeNotSupported);
}

std::string client_message(const Error& error, const Input& input, const LogicalType& type) {
  const std::string name = sql_name(type);
  switch (error.code) {
    case pst::kInvalidTextValue:
    case pst::kInvalidDatetime:
      return "invalid input syntax for type " + name + ": " + quoted(input);
    case pst::kNumberOutOfRange:
      return "value " + quoted(input) + " is out of range for type " + name;
    case pst::kStringTooLong:
      return "value too long for type " + name;
    case pst::kBadCharacter:
      return bad_character_message(input.bytes);
    case pst::kDatetimeFieldOverflow:
      return "date/time field value out of range: " + quoted(input);
    case pst::kDateOutOfRange:
      return input.format == Format::kBinary ? "date out of range"
                                             : "date out of range: " + quoted(input);
    default:
      return error.message();
  }
}

}  // namespace postern::types
