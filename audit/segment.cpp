#include "audit/segment.hpp"

#include <array>
#include <charconv>

#include <nlohmann/json.hpp>

#include "audit/json.hpp"
#include "audit/tree.hpp"
#include "base/check.hpp"

namespace postern::audit {
namespace {

constexpr std::size_t kPrefixBytes = 15;  // type, length, blank, check, blank

void put_hex(char* out, std::size_t value, int digits) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (int i = digits - 1; i >= 0; --i, value >>= 4) out[i] = kDigits[value & 15];
}

using Prefix = std::array<char, kPrefixBytes>;

Prefix prefix_of(FrameType type, std::size_t length, const Hash& leaf) {
  Prefix prefix;
  prefix[0] = static_cast<char>(type);
  put_hex(&prefix[1], length, 4);
  prefix[5] = ' ';
  put_hex(&prefix[6], load_be32(bytes_of(leaf).data()), 8);
  prefix[14] = ' ';
  return prefix;
}

// Plain decimal without sign or leading zeros, removed from the front of `text`.
std::optional<std::uint64_t> take_decimal(std::string_view& text) {
  std::uint64_t value = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  const auto digits = static_cast<std::size_t>(end - text.data());
  if (ec != std::errc{} || digits == 0 || (text[0] == '0' && digits > 1)) return std::nullopt;
  text.remove_prefix(digits);
  return value;
}

bool take(std::string_view& text, std::string_view expected) {
  if (!text.starts_with(expected)) return false;
  text.remove_prefix(expected.size());
  return true;
}

}  // namespace

void append_frame(std::string& out, FrameType type, std::string_view json, const Hash& leaf) {
  POSTERN_CHECK(json.size() <= kMaxRecordBytes);
  const Prefix prefix = prefix_of(type, json.size(), leaf);
  out.append(prefix.data(), prefix.size());
  out.append(json).push_back('\n');
}

std::optional<Frame> parse_frame(std::string_view bytes) {
  if (bytes.size() <= kPrefixBytes) return std::nullopt;
  const char type = bytes[0];
  if (type != 'H' && type != 'R' && type != 'T') return std::nullopt;
  std::size_t length = 0;
  const auto [end, ec] = std::from_chars(bytes.data() + 1, bytes.data() + 5, length, 16);
  if (ec != std::errc{} || end != bytes.data() + 5) return std::nullopt;
  if (bytes.size() < kPrefixBytes + length + 1 || bytes[kPrefixBytes + length] != '\n') {
    return std::nullopt;
  }
  Frame frame{static_cast<FrameType>(type),
              bytes.substr(kPrefixBytes, length),
              {},
              kPrefixBytes + length + 1};
  frame.leaf = leaf_hash(frame.json);
  const Prefix prefix = prefix_of(frame.type, length, frame.leaf);
  if (!bytes.starts_with(ByteView(prefix.data(), prefix.size()))) return std::nullopt;
  return frame;
}

std::size_t find_frame(std::string_view bytes, std::size_t from) {
  // Not only behind a line feed: the line feed itself may be what was altered.
  for (std::size_t i = from; i + kPrefixBytes < bytes.size(); ++i) {
    if (bytes[i + 5] == ' ' && bytes[i + 14] == ' ' && parse_frame(bytes.substr(i))) return i;
  }
  return bytes.npos;
}

std::string header_json(const SegmentHeader& header) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.field("first", header.first);
  json.field("format", kSegmentFormat);
  json.field("incarnation", header.incarnation);
  json.field("origin", header.origin);
  json.field("prev", hex_of(header.prev));
  json.field("process", header.process);
  json.field("root", hex_of(header.root));
  json.end_object();
  return out;
}

std::optional<SegmentHeader> parse_header(std::string_view json) {
  const auto value = nlohmann::json::parse(json, nullptr, false);
  if (!value.is_object()) return std::nullopt;
  const auto text = [&](const char* key) {
    const auto found = value.find(key);
    return found != value.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  const auto number = [&](const char* key) -> std::uint64_t {
    const auto found = value.find(key);
    return found != value.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
  };
  const auto prev = hash_from_hex(text("prev"));
  const auto root = hash_from_hex(text("root"));
  if (!prev || !root) return std::nullopt;
  SegmentHeader header{
      text("origin"), number("incarnation"), text("process"), number("first"), *prev, *root};
  if (header_json(header) != json) return std::nullopt;
  return header;
}

std::string trailer_json(const TreeHead& head, const Hash& last) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.field("last", hex_of(last));
  json.field("root", hex_of(head.root));
  json.field("size", head.size);
  json.end_object();
  return out;
}

void write_envelope(std::string& out, std::uint64_t index, const Hash& prev,
                    const EncodedRecord& record) {
  out.assign("{\"idx\":");
  out.append(std::to_string(index)).append(",\"kind\":\"").append(kind_name(record.kind));
  out.append("\",\"prev\":\"").append(hex_of(prev)).append("\",\"rec\":");
  out.append(record.body).push_back('}');
}

std::optional<Envelope> parse_envelope(std::string_view json) {
  Envelope envelope;
  if (!take(json, "{\"idx\":")) return std::nullopt;
  const auto index = take_decimal(json);
  if (!index || !take(json, ",\"kind\":\"")) return std::nullopt;
  envelope.index = *index;
  const auto kind = kind_from_name(json.substr(0, json.find('"')));
  if (!kind) return std::nullopt;
  envelope.kind = *kind;
  json.remove_prefix(kind_name(*kind).size());
  if (!take(json, "\",\"prev\":\"") || json.size() < 64) return std::nullopt;
  envelope.prev = json.substr(0, 64);
  json.remove_prefix(64);
  if (!take(json, "\",\"rec\":") || !json.starts_with('{') || !json.ends_with("}}")) {
    return std::nullopt;
  }
  envelope.body = json.substr(0, json.size() - 1);
  return envelope;
}

std::optional<std::uint64_t> outcome_ref(std::string_view body) {
  // Quotes inside texts are escaped, so this sequence can only be the key.
  constexpr std::string_view kKey = "\"ref\":";
  const std::size_t at = body.find(kKey);
  if (at == body.npos) return std::nullopt;
  body.remove_prefix(at + kKey.size());
  return take_decimal(body);
}

std::string segment_name(std::uint64_t first) {
  std::string digits = std::to_string(first);
  digits.insert(0, 20 - digits.size(), '0');
  return digits.append(kSegmentSuffix);
}

std::string checkpoint_path(const std::string& folder) {
  return folder + "/" + std::string(kCheckpointFile);
}

std::optional<std::uint64_t> segment_first(std::string_view name) {
  if (name.size() != 20 + kSegmentSuffix.size() || !name.ends_with(kSegmentSuffix)) {
    return std::nullopt;
  }
  std::uint64_t first = 0;
  const auto [end, ec] = std::from_chars(name.data(), name.data() + 20, first);
  if (ec != std::errc{} || end != name.data() + 20) return std::nullopt;
  return first;
}

}  // namespace postern::audit
