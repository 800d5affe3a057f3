#include "proxy/route/token.hpp"

#include <array>
#include <charconv>
#include <cstdio>

#include "base/codes/routing.hpp"

namespace postern::proxy {
namespace {

constexpr std::size_t kHalfDigits = 8;
constexpr std::uint64_t kPageBytes = 8192;  // XLOG_BLCKSZ
constexpr std::uint64_t kShortHeader = 24;  // SizeOfXLogShortPHD, xlog_internal.h
constexpr std::uint64_t kLongHeader = 40;   // SizeOfXLogLongPHD, first page of a segment

bool read_half(std::string_view text, std::uint32_t& out) {
  if (text.empty() || text.size() > kHalfDigits) return false;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), out, 16);
  return ec == std::errc{} && end == text.data() + text.size();
}

}  // namespace

void raise(Token& floor, const Token& other) {
  if (other.is_none()) return;
  const bool replaces = floor.is_none() || floor.system_identifier != other.system_identifier;
  const bool later = other.timeline > floor.timeline ||
                     (other.timeline == floor.timeline && other.lsn > floor.lsn);
  if (replaces || later) floor = other;
}

Reached reached(const ClusterState& cluster, const NodeState& node, const Token& token) {
  if (token.is_none()) return Reached::kYes;
  if (token.system_identifier != cluster.system_identifier) return Reached::kUnknown;
  if (token.timeline != node.timeline) {
    const bool next = node.timeline == token.timeline + 1 && node.timeline == cluster.timeline;
    if (!next || cluster.switch_lsn == 0) return Reached::kUnknown;
    if (token.lsn > cluster.switch_lsn) return Reached::kLost;
  }
  return node.position >= token.lsn ? Reached::kYes : Reached::kNotYet;
}

Result<std::uint64_t> parse_lsn(std::string_view text) {
  const std::size_t slash = text.find('/');
  std::uint32_t high = 0;
  std::uint32_t low = 0;
  const bool good = slash != std::string_view::npos && read_half(text.substr(0, slash), high) &&
                    read_half(text.substr(slash + 1), low);
  if (!good) return make_error(pst::kBadWalPosition);
  return (std::uint64_t{high} << 32) | low;
}

std::string lsn_text(std::uint64_t lsn) {
  std::array<char, 2 * kHalfDigits + 2> buffer{};
  const int size = std::snprintf(buffer.data(), buffer.size(), "%X/%X",
                                 static_cast<unsigned>(lsn >> 32), static_cast<unsigned>(lsn));
  return std::string(buffer.data(), static_cast<std::size_t>(size));
}

std::uint64_t without_page_header(std::uint64_t insert, std::uint64_t segment_bytes) {
  if (segment_bytes != 0 && insert % segment_bytes == kLongHeader) return insert - kLongHeader;
  return insert % kPageBytes == kShortHeader ? insert - kShortHeader : insert;
}

}  // namespace postern::proxy
