#include "proxy/net/listen.hpp"

#include <cerrno>
#include <cstring>
#include <memory>
#include <netdb.h>
#include <netinet/in.h>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <utility>

#include "base/codes/net.hpp"
#include "proxy/net/socket_ops.hpp"

namespace postern::proxy {
namespace {

constexpr int kSocketType = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;

using AddressList = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

Error listen_error(const Endpoint& endpoint, int error) {
  return make_error(pst::kListenFailed, endpoint.text() + ": " + errno_text(error));
}

Result<AddressList> resolve_local(const Endpoint& endpoint) {
  addrinfo hints{};
  hints.ai_flags = AI_PASSIVE;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const char* node = endpoint.host == "*" ? nullptr : endpoint.host.c_str();
  const int error = ::getaddrinfo(node, std::to_string(endpoint.port).c_str(), &hints, &found);
  if (error != 0) {
    return make_error(pst::kResolveFailed, endpoint.host + ": " + ::gai_strerror(error));
  }
  return AddressList(found, &::freeaddrinfo);
}

void set_flag(int fd, int level, int name) {
  const int on = 1;
  (void)::setsockopt(fd, level, name, &on, sizeof on);
}

/// Returns the listening socket, or errno where it failed.
std::pair<UniqueFd, int> listen_tcp(const addrinfo& address, std::uint16_t port, int backlog,
                                    bool reuse_port) {
  UniqueFd fd(::socket(address.ai_family, kSocketType, address.ai_protocol));
  if (!fd) return {UniqueFd(), errno};
  set_flag(fd.get(), SOL_SOCKET, SO_REUSEADDR);
  if (reuse_port) set_flag(fd.get(), SOL_SOCKET, SO_REUSEPORT);
  sockaddr_storage place{};
  std::memcpy(&place, address.ai_addr, address.ai_addrlen);
  if (address.ai_family == AF_INET6) {
    set_flag(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY);  // "*" has a socket of its own for IPv4
    reinterpret_cast<sockaddr_in6&>(place).sin6_port = htons(port);
  } else {
    reinterpret_cast<sockaddr_in&>(place).sin_port = htons(port);
  }
  const auto* name = reinterpret_cast<const sockaddr*>(&place);
  if (::bind(fd.get(), name, address.ai_addrlen) != 0 || ::listen(fd.get(), backlog) != 0) {
    return {UniqueFd(), errno};
  }
  return {std::move(fd), 0};
}

sockaddr_un unix_address(const Endpoint& endpoint) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  endpoint.path.copy(address.sun_path, Endpoint::kMaxUnixPath);
  return address;
}

/// Nobody accepts on this socket file any more.
bool is_stale(const sockaddr_un& address) {
  const UniqueFd probe(::socket(AF_UNIX, kSocketType, 0));
  const auto* name = reinterpret_cast<const sockaddr*>(&address);
  return probe && ::connect(probe.get(), name, sizeof address) != 0 && errno == ECONNREFUSED;
}

Result<UniqueFd> listen_unix(const Endpoint& endpoint, int backlog) {
  const sockaddr_un address = unix_address(endpoint);
  const auto* name = reinterpret_cast<const sockaddr*>(&address);
  UniqueFd fd(::socket(AF_UNIX, kSocketType, 0));
  if (!fd) return listen_error(endpoint, errno);
  bool bound = ::bind(fd.get(), name, sizeof address) == 0;
  if (!bound && errno == EADDRINUSE && is_stale(address)) {
    ::unlink(address.sun_path);
    bound = ::bind(fd.get(), name, sizeof address) == 0;
  }
  if (!bound || ::listen(fd.get(), backlog) != 0) return listen_error(endpoint, errno);
  return fd;
}

}  // namespace

Result<std::vector<UniqueFd>> listen_on(const Endpoint& endpoint, int backlog, bool reuse_port) {
  std::vector<UniqueFd> listeners;
  if (endpoint.is_unix()) {
    POSTERN_ASSIGN(UniqueFd fd, listen_unix(endpoint, backlog));
    listeners.push_back(std::move(fd));
    return listeners;
  }
  POSTERN_ASSIGN(const AddressList addresses, resolve_local(endpoint));
  std::uint16_t port = endpoint.port;
  int unusable = EADDRNOTAVAIL;
  for (const addrinfo* address = addresses.get(); address != nullptr; address = address->ai_next) {
    auto [fd, error] = listen_tcp(*address, port, backlog, reuse_port);
    // A machine without IPv6 still resolves "*" and "localhost" to both families.
    if (error == EAFNOSUPPORT || error == EADDRNOTAVAIL) {
      unusable = error;
      continue;
    }
    if (error != 0) return listen_error(endpoint, error);
    port = local_port(fd.get());
    listeners.push_back(std::move(fd));
  }
  if (listeners.empty()) return listen_error(endpoint, unusable);
  return listeners;
}

}  // namespace postern::proxy
