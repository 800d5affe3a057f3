#include "config/network.hpp"

#include <arpa/inet.h>
#include <charconv>
#include <string>

namespace postern::config {
namespace {

constexpr unsigned kBitsOfByte = 8;

using Raw = std::array<std::uint8_t, 16>;

std::optional<std::pair<int, Raw>> read_address(std::string_view text) {
  const std::string copy(text);
  Raw raw{};
  if (::inet_pton(AF_INET, copy.c_str(), raw.data()) == 1) return std::pair{AF_INET, raw};
  if (::inet_pton(AF_INET6, copy.c_str(), raw.data()) == 1) return std::pair{AF_INET6, raw};
  return std::nullopt;
}

/// Are the first `bits` bits equal?
bool same_prefix(const Raw& a, const Raw& b, unsigned bits) {
  for (unsigned i = 0; i < bits; ++i) {
    const unsigned shift = kBitsOfByte - 1 - i % kBitsOfByte;
    const unsigned differ = (a[i / kBitsOfByte] ^ b[i / kBitsOfByte]) >> shift;
    if ((differ & 1u) != 0) return false;
  }
  return true;
}

}  // namespace

std::optional<Network> Network::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto address = read_address(text.substr(0, slash));
  if (!address || text.find('\0') != text.npos) return std::nullopt;
  Network network;
  network.family_ = address->first;
  const unsigned most = network.family_ == AF_INET ? 32 : 128;
  network.bits_ = most;
  if (slash != text.npos) {
    const std::string_view digits = text.substr(slash + 1);
    const char* end = digits.data() + digits.size();
    const auto [stop, ec] = std::from_chars(digits.data(), end, network.bits_);
    if (ec != std::errc{} || stop != end || network.bits_ > most) return std::nullopt;
  }
  const unsigned whole = network.bits_ / kBitsOfByte;
  const unsigned rest = network.bits_ % kBitsOfByte;
  for (unsigned i = 0; i < whole; ++i) network.address_[i] = address->second[i];
  if (rest != 0) {
    const unsigned mask = 0xffu << (kBitsOfByte - rest);
    network.address_[whole] = static_cast<std::uint8_t>(address->second[whole] & mask);
  }
  if (network.address_ != address->second) return std::nullopt;
  return network;
}

bool Network::contains(std::string_view address) const {
  const auto read = read_address(address);
  return read && read->first == family_ && same_prefix(read->second, address_, bits_);
}

std::string_view host_of(std::string_view peer) {
  const std::size_t colon = peer.rfind(':');
  if (colon == peer.npos || peer.starts_with("unix")) return {};
  std::string_view host = peer.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return host;
}

}  // namespace postern::config
