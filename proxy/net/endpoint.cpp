#include "proxy/net/endpoint.hpp"

#include <charconv>
#include <optional>

#include "base/codes/net.hpp"

namespace postern::proxy {
namespace {

Error bad(std::string_view text, const char* why) {
  return make_error(pst::kAddressSyntax, "\"" + std::string(text) + "\": " + why);
}

bool is_host_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '-' || c == '_';
}

bool is_ipv6_char(char c) {
  return is_host_char(c) || c == ':' || c == '%';  // '%' introduces a zone
}

bool all_of(std::string_view text, bool (*allowed)(char)) {
  for (const char c : text) {
    if (!allowed(c)) return false;
  }
  return true;
}

std::optional<std::uint16_t> parse_port(std::string_view digits) {
  std::uint16_t port = 0;
  const char* end = digits.data() + digits.size();
  const auto [stop, ec] = std::from_chars(digits.data(), end, port);
  if (ec != std::errc{} || stop != end) return std::nullopt;
  return port;
}

}  // namespace

std::string Endpoint::text() const {
  if (is_unix()) return path;
  const bool ipv6 = host.find(':') != std::string::npos;
  return (ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<Endpoint> Endpoint::parse(std::string_view text, std::uint16_t default_port) {
  Endpoint endpoint;
  if (text.starts_with('/')) {
    if (text.size() > kMaxUnixPath) return bad(text, "path of a unix socket is too long");
    if (text.find('\0') != text.npos) return bad(text, "path contains NUL");
    endpoint.path = text;
    return endpoint;
  }
  std::string_view host = text;
  std::string_view rest;
  const bool bracketed = text.starts_with('[');
  if (bracketed) {
    const auto close = text.find(']');
    if (close == text.npos) return bad(text, "']' is missing");
    host = text.substr(1, close - 1);
    rest = text.substr(close + 1);
  } else if (const auto colon = text.find(':'); colon != text.npos) {
    host = text.substr(0, colon);
    rest = text.substr(colon);
  }
  if (host.empty() || host.size() > kMaxHost) return bad(text, "host is empty or too long");
  if (host != "*" && !all_of(host, bracketed ? is_ipv6_char : is_host_char)) {
    return bad(text, "host contains a character that is not allowed");
  }
  endpoint.host = host;
  endpoint.port = default_port;
  if (rest.empty()) return endpoint;
  const auto port = rest.front() == ':' ? parse_port(rest.substr(1)) : std::nullopt;
  if (!port) return bad(text, "port is not a number from 0 to 65535");
  endpoint.port = *port;
  return endpoint;
}

}  // namespace postern::proxy
