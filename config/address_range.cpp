#include "config/address_range.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <string>

namespace postern::config {
namespace {

constexpr std::size_t kLongest = 63;
constexpr std::array<std::uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
constexpr std::uint8_t kLoopbackNet = 127;

bool bit(const NetAddress& address, unsigned at) {
  return ((address.bytes[at / 8] >> (7 - at % 8)) & 1) != 0;
}

}  // namespace

std::optional<NetAddress> parse_net_address(std::string_view text) {
  const std::string copy(text.substr(0, text.find('%')));
  // inet_pton would read up to the zero byte, and call the rest of the text agreed.
  if (copy.size() > kLongest || copy.find('\0') != std::string::npos) return std::nullopt;
  NetAddress address;
  if (::inet_pton(AF_INET, copy.c_str(), address.bytes.data()) == 1) {
    address.size = 4;
    return address;
  }
  if (::inet_pton(AF_INET6, copy.c_str(), address.bytes.data()) != 1) return std::nullopt;
  address.size = 16;
  if (!std::equal(kMapped.begin(), kMapped.end(), address.bytes.begin())) return address;
  NetAddress inner;
  inner.size = 4;
  std::copy(address.bytes.begin() + kMapped.size(), address.bytes.end(), inner.bytes.begin());
  return inner;
}

std::optional<NetAddress> address_of_peer(std::string_view peer) {
  if (peer.starts_with('[')) {
    const std::size_t end = peer.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    return parse_net_address(peer.substr(1, end - 1));
  }
  const std::size_t colon = peer.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  return parse_net_address(peer.substr(0, colon));
}

std::optional<AddressRange> AddressRange::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto address = parse_net_address(text.substr(0, slash));
  if (!address || text.find('%') != std::string_view::npos) return std::nullopt;
  AddressRange range;
  range.first_ = *address;
  const unsigned most = address->size * 8u;
  range.bits_ = most;
  if (slash != std::string_view::npos) {
    const std::string_view digits = text.substr(slash + 1);
    const char* last = digits.data() + digits.size();
    const auto [end, error] = std::from_chars(digits.data(), last, range.bits_);
    if (error != std::errc{} || end != last || range.bits_ > most) return std::nullopt;
  }
  for (unsigned i = range.bits_; i < most; ++i) {
    if (bit(range.first_, i)) return std::nullopt;
  }
  return range;
}

bool AddressRange::contains(const NetAddress& address) const {
  if (address.size != first_.size) return false;
  for (unsigned i = 0; i < bits_; ++i) {
    if (bit(address, i) != bit(first_, i)) return false;
  }
  return true;
}

bool AddressRange::is_loopback() const {
  if (first_.size == 4) return bits_ >= 8 && first_.bytes[0] == kLoopbackNet;
  return bits_ == 128 && first_ == parse_net_address("::1");
}

}  // namespace postern::config
