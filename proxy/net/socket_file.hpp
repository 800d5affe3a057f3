// The listening unix socket, as PostgreSQL places it: DIR/.s.PGSQL.PORT beside a lock file.
#pragma once

#include <cstdint>
#include <string>
#include <sys/types.h>

#include "base/result.hpp"
#include "proxy/net/fd.hpp"

namespace postern::proxy {

/// "DIR/.s.PGSQL.PORT"; DIR may begin with "@" for a name in the abstract namespace.
std::string socket_path(const std::string& dir, std::uint16_t port);

/// Owns the two files; they go with it, unless a successor has put its own in their place.
class SocketFile {
 public:
  struct Options {
    std::string dir;  ///< absolute, or "@NAME": no files then
    std::uint16_t port = 0;
    mode_t mode = 0777;  ///< of the socket file
    int backlog = 1024;
    bool take_over = false;  ///< a socket in use is replaced, without a moment of absence
  };

  /// Listens. What a dead process left is replaced; kListenFailed where a living one has the lock
  /// (unless take_over), where the folder is missing or the path too long.
  static Result<SocketFile> open(const Options& options);
  SocketFile(SocketFile&& other) noexcept;
  SocketFile& operator=(SocketFile&&) = delete;
  ~SocketFile();

  /// The listening socket; the caller owns it from now on.
  [[nodiscard]] UniqueFd take() { return std::move(fd_); }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  SocketFile() = default;
  Status lock(bool take_over);
  Status listen(const Options& options);
  Status bind_file(const Options& options);

  UniqueFd fd_;
  std::string path_;
  ino_t inode_ = 0;  ///< of the socket file; 0: none
  bool locked_ = false;
};

}  // namespace postern::proxy
