// Address ranges as the file writes them: "10.0.0.0/8", "::1/128", "192.0.2.7".
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace postern::config {

/// A range of IPv4 or IPv6 addresses. Pure.
class Network {
 public:
  /// ADDRESS or ADDRESS/BITS. nullopt: not an address, too many bits, or bits set behind the prefix
  /// (10.0.0.1/8), which is a mistake more often than not.
  static std::optional<Network> parse(std::string_view text);
  /// `address` is numeric, without port and brackets; anything else lies in no network.
  [[nodiscard]] bool contains(std::string_view address) const;

 private:
  int family_ = 0;
  unsigned bits_ = 0;
  std::array<std::uint8_t, 16> address_{};
};

/// The host of "host:port" or "[ipv6]:port"; empty for anything else ("unix").
std::string_view host_of(std::string_view peer);

}  // namespace postern::config
