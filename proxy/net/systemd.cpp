#include "proxy/net/systemd.hpp"

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <fcntl.h>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace postern::proxy {
namespace {

constexpr int kFirstSocket = 3;  // SD_LISTEN_FDS_START
constexpr int kMaxSockets = 64;

std::optional<std::uint64_t> number_in(const char* name) {
  const char* text = std::getenv(name);
  if (text == nullptr) return std::nullopt;
  const std::string_view digits(text);
  std::uint64_t value = 0;
  const auto [stop, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (ec != std::errc{} || stop != digits.data() + digits.size()) return std::nullopt;
  return value;
}

bool is_for_us(const char* pid_variable) {
  return number_in(pid_variable) == static_cast<std::uint64_t>(::getpid());
}

bool is_listening(int fd) {
  int value = 0;
  socklen_t size = sizeof value;
  return ::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &size) == 0 && value != 0;
}

}  // namespace

void notify_manager(std::string_view state) {
  const char* place = std::getenv("NOTIFY_SOCKET");
  if (place == nullptr || (place[0] != '/' && place[0] != '@')) return;
  const std::string_view path(place);
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  if (path.size() >= sizeof name.sun_path) return;
  path.copy(name.sun_path, sizeof name.sun_path - 1);
  if (place[0] == '@') name.sun_path[0] = '\0';
  std::string text(state);
  if (state == "RELOADING=1") {
    constexpr std::int64_t kMicros = 1'000'000;
    constexpr std::int64_t kNanosPerMicro = 1'000;
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    const std::int64_t micros = now.tv_sec * kMicros + now.tv_nsec / kNanosPerMicro;
    text += "\nMONOTONIC_USEC=" + std::to_string(micros);
  }
  const UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  if (!fd) return;
  (void)::sendto(fd.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                 reinterpret_cast<const sockaddr*>(&name), size);
}

std::optional<std::chrono::microseconds> watchdog_interval() {
  const auto micros = number_in("WATCHDOG_USEC");
  const bool ours = std::getenv("WATCHDOG_PID") == nullptr || is_for_us("WATCHDOG_PID");
  if (!micros || *micros < 2 || !ours) return std::nullopt;
  return std::chrono::microseconds(static_cast<std::int64_t>(*micros / 2));
}

std::vector<UniqueFd> inherited_sockets() {
  std::vector<UniqueFd> sockets;
  const auto count = number_in("LISTEN_FDS");
  if (count && *count <= kMaxSockets && is_for_us("LISTEN_PID")) {
    for (int fd = kFirstSocket; fd < kFirstSocket + static_cast<int>(*count); ++fd) {
      if (!is_listening(fd)) continue;
      ::fcntl(fd, F_SETFD, FD_CLOEXEC);
      ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
      sockets.emplace_back(fd);
    }
  }
  for (const char* name : {"LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"}) ::unsetenv(name);
  return sockets;
}

}  // namespace postern::proxy
