// Where to listen or to connect to: a host and port, or the path of a unix socket.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace postern::proxy {

/// A TCP endpoint (host, port) or, where `path` is not empty, a unix-domain socket.
struct Endpoint {
  std::string host;        ///< name or numeric address, without brackets; "*" listens everywhere
  std::uint16_t port = 0;  ///< 0 is allowed for listening only: the system chooses
  std::string path;        ///< path of a unix socket; "@..." in the abstract namespace

  [[nodiscard]] bool is_unix() const { return !path.empty(); }
  /// "host:port", "[ipv6]:port" or the path.
  [[nodiscard]] std::string text() const;

  /// Reads "host:port", "[ipv6]:port", "host" or "[ipv6]" (then `default_port`), or an absolute
  /// path (longest allowed: kMaxUnixPath). Anything else is kAddressSyntax.
  static Result<Endpoint> parse(std::string_view text, std::uint16_t default_port);

  /// sockaddr_un.sun_path minus its terminator.
  static constexpr std::size_t kMaxUnixPath = 107;
  /// RFC 1035 section 2.3.4.
  static constexpr std::size_t kMaxHost = 253;

  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

}  // namespace postern::proxy
