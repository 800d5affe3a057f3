// A throw-away PostgreSQL 15 on a Unix socket in a temporary folder, and raw sockets to talk to it.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/protocol/support.hpp"

namespace postern::protocol::test {

/// A folder under /tmp that everyone may enter (servers run as another user), removed at the end.
class TempFolder {
 public:
  TempFolder() {
    char name[] = "/tmp/postern-protocol-XXXXXX";
    REQUIRE(::mkdtemp(name) != nullptr);
    path_ = name;
    std::filesystem::permissions(path_, std::filesystem::perms::all);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string socket() const { return path_ + "/.s.PGSQL.5432"; }

 private:
  std::string path_;
};

inline sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  REQUIRE(path.size() < sizeof address.sun_path);
  path.copy(address.sun_path, path.size());
  return address;
}

/// A connected or accepted socket; reads give up after ten seconds.
class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {
    REQUIRE(fd >= 0);
    const timeval patience{10, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  static Socket connected(const std::string& path) {
    Socket s(::socket(AF_UNIX, SOCK_STREAM, 0));
    const sockaddr_un address = address_of(path);
    REQUIRE(::connect(s.fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    return s;
  }
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&&) = delete;
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  void write(ByteView bytes) const {
    REQUIRE(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(bytes.size()));
  }
  /// Appends what is there, at most `most` bytes; false at the end of the stream.
  bool read(Bytes& into, std::size_t most = 65536) const {
    Bytes chunk(most, '\0');
    const ssize_t n = ::recv(fd_, chunk.data(), chunk.size(), 0);
    if (n <= 0) return false;
    into.append(chunk, 0, static_cast<std::size_t>(n));
    return true;
  }
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
};

/// Runs from construction to destruction; superuser "postgres" with password "secret", SCRAM.
class PostgresServer {
 public:
  PostgresServer() {
    std::ofstream(folder_.path() + "/password") << "secret\n";
    run("initdb -D " + data() + " -U postgres -N -A scram-sha-256 --pwfile=" + folder_.path() +
        "/password");
    run("pg_ctl -D " + data() + " -w -s -l " + folder_.path() +
        "/log -o \"-c listen_addresses='' -c " +
        "fsync=off -c unix_socket_directories=" + folder_.path() + "\" start");
  }
  PostgresServer(const PostgresServer&) = delete;
  PostgresServer& operator=(const PostgresServer&) = delete;
  ~PostgresServer() { system("pg_ctl -D " + data() + " -s -m immediate stop"); }

  [[nodiscard]] Socket connect() const { return Socket::connected(folder_.socket()); }

 private:
  [[nodiscard]] std::string data() const { return folder_.path() + "/data"; }
  static int system(const std::string& command) {
    // PostgreSQL refuses to run as root.
    const std::string as = ::geteuid() == 0 ? "runuser -u nobody -- " : "";
    return std::system(
        ("cd / && " + as + "/usr/lib/postgresql/15/bin/" + command + " >/dev/null 2>&1").c_str());
  }
  static void run(const std::string& command) { REQUIRE(system(command) == 0); }

  TempFolder folder_;
};

}  // namespace postern::protocol::test
