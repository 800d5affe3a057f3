// A PING over a plain socket: the commands are two lines, a client library would be more.
#include <array>
#include <memory>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "app/doctor.hpp"
#include "base/secret.hpp"

namespace postern::app {
namespace {

using schema::Level;

class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

struct FreeAddresses {
  void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};

int connect_to(const config::HostPort& target) {
  constexpr timeval kPatience{3, 0};
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const std::string port = std::to_string(target.port);
  if (::getaddrinfo(target.host.c_str(), port.c_str(), &hints, &list) != 0) return -1;
  const std::unique_ptr<addrinfo, FreeAddresses> owner(list);
  for (const addrinfo* it = list; it != nullptr; it = it->ai_next) {
    const int fd = ::socket(it->ai_family, it->ai_socktype | SOCK_CLOEXEC, it->ai_protocol);
    if (fd < 0) continue;
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
    ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience);
    if (::connect(fd, it->ai_addr, it->ai_addrlen) == 0) return fd;
    ::close(fd);
  }
  return -1;
}

/// RESP: an array of bulk strings.
Bytes command(std::initializer_list<ByteView> words) {
  Bytes out = "*" + std::to_string(words.size()) + "\r\n";
  for (const ByteView word : words) {
    out.append("$").append(std::to_string(word.size())).append("\r\n").append(word).append("\r\n");
  }
  return out;
}

/// The first line of the answer; empty where none came.
std::string ask(int fd, Bytes request) {
  const auto size = static_cast<ssize_t>(request.size());
  const bool sent = ::send(fd, request.data(), request.size(), MSG_NOSIGNAL) == size;
  wipe(request);
  std::array<char, 256> answer{};
  const ssize_t got = sent ? ::recv(fd, answer.data(), answer.size(), 0) : -1;
  if (got <= 0) return "";
  const std::string text(answer.data(), static_cast<std::size_t>(got));
  return text.substr(0, text.find('\r'));
}

std::string ping(const config::CacheOptions& cache) {
  const Socket socket(connect_to(cache.redis));
  if (socket.get() < 0) return "cannot be reached";
  if (!cache.redis_password.empty()) {
    const std::string said = ask(socket.get(), command({"AUTH", cache.redis_password.reveal()}));
    if (said != "+OK") return "refuses the password";
  }
  const std::string said = ask(socket.get(), command({"PING"}));
  if (said == "+PONG") return "";
  return said.starts_with("-NOAUTH") ? "asks for a password" : "does not answer as Redis does";
}

}  // namespace

void check_redis(const config::Config& config, Checks& out) {
  if (!config.cache || config.cache->redis.empty()) return;
  const config::HostPort& redis = config.cache->redis;
  const std::string where = "redis " + redis.host + ":" + std::to_string(redis.port);
  const std::string problem = ping(*config.cache);
  if (problem.empty()) {
    out.push_back({Level::kGood, where, "ping", "answers", "", ""});
    return;
  }
  out.push_back({Level::kMissing, where, "ping", problem, "nothing is cached",
                 "start it, or correct [cache] redis and redis_password_file"});
}

}  // namespace postern::app
