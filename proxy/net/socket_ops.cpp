#include "proxy/net/socket_ops.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <system_error>

namespace postern::proxy {
namespace {

bool would_block(int error) {
  return error == EAGAIN || error == EWOULDBLOCK;
}

IoStep failed(int error) {
  if (would_block(error)) return {IoStep::Kind::kWouldBlock, 0, 0};
  return {IoStep::Kind::kFailed, 0, error};
}

void set_option(int fd, int level, int name, int value) {
  // Failure only loses a comfort (a unix socket has none of these).
  (void)::setsockopt(fd, level, name, &value, sizeof value);
}

std::string inet_text(int family, const void* address, std::uint16_t port) {
  char text[INET6_ADDRSTRLEN] = {};
  ::inet_ntop(family, address, text, sizeof text);
  const std::string host = family == AF_INET6 ? "[" + std::string(text) + "]" : text;
  return host + ":" + std::to_string(ntohs(port));
}

std::string unix_text(const sockaddr_un& address, socklen_t size) {
  if (size <= offsetof(sockaddr_un, sun_path) || address.sun_path[0] == '\0') return "unix";
  const std::size_t room = size - offsetof(sockaddr_un, sun_path);
  return "unix:" + std::string(address.sun_path, ::strnlen(address.sun_path, room));
}

}  // namespace

IoStep receive_now(int fd, std::span<char> into) noexcept {
  for (;;) {
    const ssize_t n = ::recv(fd, into.data(), into.size(), MSG_DONTWAIT);
    if (n > 0) return {IoStep::Kind::kMoved, static_cast<std::size_t>(n), 0};
    if (n == 0) return {IoStep::Kind::kEnd, 0, 0};
    if (errno != EINTR) return failed(errno);
  }
}

IoStep send_now(int fd, std::span<const ByteView> views) noexcept {
  iovec parts[kMaxGather];
  msghdr message{};
  message.msg_iov = parts;
  for (const ByteView& view : views) {
    if (view.empty()) continue;
    if (message.msg_iovlen == kMaxGather) break;
    parts[message.msg_iovlen++] = {const_cast<char*>(view.data()), view.size()};
  }
  for (;;) {
    const ssize_t n = ::sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n >= 0) return {IoStep::Kind::kMoved, static_cast<std::size_t>(n), 0};
    if (errno != EINTR) return failed(errno);
  }
}

IoStep send_now(int fd, ByteView view) noexcept {
  for (;;) {
    const ssize_t n = ::send(fd, view.data(), view.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n >= 0) return {IoStep::Kind::kMoved, static_cast<std::size_t>(n), 0};
    if (errno != EINTR) return failed(errno);
  }
}

IdleState peek_idle(int fd) noexcept {
  char byte = 0;
  for (;;) {
    const ssize_t n = ::recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK);
    if (n > 0) return IdleState::kHasInput;
    if (n == 0) return IdleState::kGone;
    if (errno != EINTR) return would_block(errno) ? IdleState::kQuiet : IdleState::kGone;
  }
}

bool stream_ended(int fd) noexcept {
  pollfd asked{fd, POLLRDHUP, 0};
  return ::poll(&asked, 1, 0) > 0 && (asked.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

Acknowledgement acknowledgement(int fd) noexcept {
  tcp_info info{};
  socklen_t size = sizeof info;
  if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return {};
  // A host whose program reads nothing answers what is sent to it, and yet acknowledges none of it:
  // then what is outstanding was sent before the last answer, and is repeated ever less often.
  const bool unanswered =
      info.tcpi_unacked > 0 && info.tcpi_last_ack_recv > info.tcpi_last_data_sent;
  // Probes are no data; answered ones are no longer counted.
  const bool outstanding = unanswered || info.tcpi_probes > 0;
  return {outstanding, std::chrono::milliseconds(info.tcpi_last_ack_recv)};
}

void tune_stream(int fd) noexcept {
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, kKeepAliveIdleSeconds);
  set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, kKeepAliveIntervalSeconds);
  set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, kKeepAliveProbes);
}

std::string peer_text(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return {};
  switch (storage.ss_family) {
    case AF_INET: {
      const auto& in = reinterpret_cast<const sockaddr_in&>(storage);
      return inet_text(AF_INET, &in.sin_addr, in.sin_port);
    }
    case AF_INET6: {
      const auto& in6 = reinterpret_cast<const sockaddr_in6&>(storage);
      return inet_text(AF_INET6, &in6.sin6_addr, in6.sin6_port);
    }
    case AF_UNIX:
      return unix_text(reinterpret_cast<const sockaddr_un&>(storage), size);
    default:
      return {};
  }
}

std::uint16_t local_port(int fd) noexcept {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return 0;
  if (storage.ss_family == AF_INET) {
    return ntohs(reinterpret_cast<const sockaddr_in&>(storage).sin_port);
  }
  if (storage.ss_family == AF_INET6) {
    return ntohs(reinterpret_cast<const sockaddr_in6&>(storage).sin6_port);
  }
  return 0;
}

std::string errno_text(int error) {
  return std::system_category().message(error) + " (" + std::to_string(error) + ")";
}

}  // namespace postern::proxy
