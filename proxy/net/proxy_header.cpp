#include "proxy/net/proxy_header.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <vector>

#include "base/codes/net.hpp"

namespace postern::proxy {
namespace {

constexpr std::string_view kV1("PROXY ");
constexpr std::string_view kV2("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::size_t kV2Fixed = 16;

Error bad(std::string_view reason) {
  return make_error(pst::kProxyHeader, std::string(reason));
}

ProxyProgress complete(std::size_t size, std::string address) {
  return {0, ProxyHeader{size, std::move(address)}};
}

// Version 1: a line of text -----------------------------------------------------------------------

std::vector<std::string> words(std::string_view line) {
  std::vector<std::string> out;
  for (std::size_t begin = 0; begin <= line.size();) {
    const std::size_t end = std::min(line.find(' ', begin), line.size());
    out.emplace_back(line.substr(begin, end - begin));
    begin = end + 1;
  }
  return out;
}

bool is_address(int family, const std::string& text) {
  in6_addr ignored{};
  return text.find('\0') == text.npos && ::inet_pton(family, text.c_str(), &ignored) == 1;
}

bool is_port(const std::string& text) {
  unsigned port = 0;
  const char* end = text.data() + text.size();
  const auto [stop, ec] = std::from_chars(text.data(), end, port);
  const bool padded = text.size() > 1 && text.front() == '0';
  return ec == std::errc{} && stop == end && port <= 65'535 && !padded;
}

// PROXY TCP4|TCP6 source destination source-port destination-port
Result<ProxyProgress> read_line(std::string_view line, std::size_t size) {
  const std::vector<std::string> parts = words(line);
  if (parts[0] == "UNKNOWN") return complete(size, {});
  const bool v4 = parts[0] == "TCP4";
  if (!v4 && parts[0] != "TCP6") return bad("protocol of the PROXY line is not known");
  constexpr std::size_t kParts = 5;
  if (parts.size() != kParts) return bad("PROXY line has another number of fields");
  const int family = v4 ? AF_INET : AF_INET6;
  if (!is_address(family, parts[1]) || !is_address(family, parts[2])) {
    return bad("address of the PROXY line is malformed");
  }
  if (!is_port(parts[3]) || !is_port(parts[4])) return bad("port of the PROXY line is malformed");
  const std::string host = v4 ? parts[1] : "[" + parts[1] + "]";
  return complete(size, host + ":" + parts[3]);
}

Result<ProxyProgress> read_v1(ByteView unread) {
  const std::size_t end = unread.substr(0, kMaxProxyV1).find("\r\n");
  if (end != unread.npos) {
    return read_line(unread.substr(kV1.size(), end - kV1.size()), end + 2);
  }
  if (unread.size() >= kMaxProxyV1) return bad("PROXY line is longer than 107 bytes");
  return ProxyProgress{unread.size() + 1, {}};
}

// Version 2: binary -------------------------------------------------------------------------------

std::uint16_t number_at(ByteView bytes, std::size_t at) {
  return static_cast<std::uint16_t>((static_cast<unsigned char>(bytes[at]) << 8) |
                                    static_cast<unsigned char>(bytes[at + 1]));
}

std::string address_text(int family, ByteView source, std::uint16_t port) {
  char text[INET6_ADDRSTRLEN] = {};
  ::inet_ntop(family, source.data(), text, sizeof text);
  const std::string host = family == AF_INET6 ? "[" + std::string(text) + "]" : text;
  return host + ":" + std::to_string(port);
}

// Addresses stand as source, destination, source port, destination port.
Result<ProxyProgress> read_addresses(ByteView header, unsigned family) {
  constexpr unsigned kUnspecified = 0x00;
  constexpr unsigned kTcp4 = 0x11;
  constexpr unsigned kTcp6 = 0x21;
  constexpr unsigned kUnixStream = 0x31;
  constexpr std::size_t kUnixBytes = 216;
  const ByteView body = header.substr(kV2Fixed);
  if (family == kUnspecified) return complete(header.size(), {});
  if (family == kUnixStream) {
    if (body.size() < kUnixBytes) return bad("PROXY header is too short for its addresses");
    return complete(header.size(), {});
  }
  if (family != kTcp4 && family != kTcp6) return bad("PROXY header is not of a stream");
  const std::size_t width = family == kTcp4 ? 4 : 16;
  if (body.size() < 2 * width + 4) return bad("PROXY header is too short for its addresses");
  const int af = family == kTcp4 ? AF_INET : AF_INET6;
  return complete(header.size(),
                  address_text(af, body.substr(0, width), number_at(body, 2 * width)));
}

Result<ProxyProgress> read_v2(ByteView unread) {
  if (unread.size() < kV2Fixed) return ProxyProgress{kV2Fixed, {}};
  constexpr unsigned kLocal = 0x20;
  constexpr unsigned kProxy = 0x21;
  const auto command = static_cast<unsigned char>(unread[12]);
  const auto family = static_cast<unsigned char>(unread[13]);
  if (command != kLocal && command != kProxy) return bad("version or command is not known");
  const std::size_t size = kV2Fixed + number_at(unread, 14);
  if (size > kMaxProxyV2) return bad("PROXY header is too long");
  if (unread.size() < size) return ProxyProgress{size, {}};
  if (command == kLocal) return complete(size, {});
  return read_addresses(unread.substr(0, size), family);
}

bool may_become(ByteView unread, std::string_view signature) {
  const std::size_t size = std::min(unread.size(), signature.size());
  return unread.substr(0, size) == signature.substr(0, size);
}

}  // namespace

Result<ProxyProgress> read_proxy_header(ByteView unread) {
  const bool v1 = may_become(unread, kV1);
  const bool v2 = may_become(unread, kV2);
  if (!v1 && !v2) return bad("the connection does not begin with one");
  if (unread.size() < kV1.size()) return ProxyProgress{kV1.size(), {}};
  return v1 ? read_v1(unread) : read_v2(unread);
}

}  // namespace postern::proxy
