// Blocks of network addresses: "10.0.0.0/8", "2001:db8::/32", or one address.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace postern::config {

/// An IPv4 or IPv6 address as bytes. An IPv4 address mapped into IPv6 (::ffff:a.b.c.d) counts as
/// the IPv4 address it is.
struct NetAddress {
  std::array<std::uint8_t, 16> bytes{};
  std::uint8_t size = 0;  ///< 4 or 16
  friend bool operator==(const NetAddress&, const NetAddress&) = default;
};

/// Numeric text without brackets or port; nullopt otherwise. A zone ("%eth0") is cut off.
std::optional<NetAddress> parse_net_address(std::string_view text);

/// The address of "127.0.0.1:5432" or "[::1]:5432", as Transport::peer writes it; nullopt for unix
/// sockets.
std::optional<NetAddress> address_of_peer(std::string_view peer);

/// A block of addresses of one family.
class AddressRange {
 public:
  /// "address/bits" or "address"; nullopt where malformed, or where bits outside the block are set,
  /// which is more often a slip than meant.
  static std::optional<AddressRange> parse(std::string_view text);
  [[nodiscard]] bool contains(const NetAddress& address) const;
  /// Every address of the block is this machine's own.
  [[nodiscard]] bool is_loopback() const;

 private:
  NetAddress first_;
  unsigned bits_ = 0;
};

}  // namespace postern::config
