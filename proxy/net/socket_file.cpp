#include "proxy/net/socket_file.hpp"

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>

#include "base/codes/net.hpp"
#include "proxy/net/endpoint.hpp"
#include "proxy/net/socket_ops.hpp"

namespace postern::proxy {
namespace {

Error failed(const std::string& path, const std::string& reason) {
  return make_error(pst::kListenFailed, path + ": " + reason);
}

struct Address {
  sockaddr_un name{};
  socklen_t size = 0;
};

Address address_of(const std::string& path) {
  Address out;
  out.name.sun_family = AF_UNIX;
  path.copy(out.name.sun_path, Endpoint::kMaxUnixPath);
  const bool abstract = path.starts_with('@');
  if (abstract) out.name.sun_path[0] = '\0';
  // An abstract name is as long as it is said to be; a path ends with its zero.
  const std::size_t length = offsetof(sockaddr_un, sun_path) + path.size() + (abstract ? 0 : 1);
  out.size = static_cast<socklen_t>(length);
  return out;
}

int bind_to(int fd, const std::string& path) {
  const Address address = address_of(path);
  return ::bind(fd, reinterpret_cast<const sockaddr*>(&address.name), address.size);
}

/// The process that a lock file names; 0: none that could be read.
pid_t owner_of(const std::string& lock) {
  const UniqueFd fd(::open(lock.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  char text[64] = {};
  if (!fd) return 0;
  const ssize_t size = ::read(fd.get(), text, sizeof text - 1);
  pid_t pid = 0;
  if (size > 0) std::from_chars(text, text + size, pid);
  return pid > 0 ? pid : 0;
}

bool is_alive(pid_t pid) {
  return pid != 0 && pid != ::getpid() && (::kill(pid, 0) == 0 || errno == EPERM);
}

// Its first line names the process, as in PostgreSQL's.
/// errno where it failed, else 0.
int write_lock(const std::string& lock, int flags) {
  const UniqueFd fd(
      ::open(lock.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | flags, 0600));
  if (!fd) return errno;
  const std::string text = std::to_string(::getpid()) + "\n";
  const ssize_t size = ::write(fd.get(), text.data(), text.size());
  return size == static_cast<ssize_t>(text.size()) ? 0 : EIO;
}

ino_t inode_of(const std::string& path) {
  struct stat info{};
  return ::lstat(path.c_str(), &info) == 0 && S_ISSOCK(info.st_mode) ? info.st_ino : 0;
}

}  // namespace

std::string socket_path(const std::string& dir, std::uint16_t port) {
  return dir + "/.s.PGSQL." + std::to_string(port);
}

SocketFile::SocketFile(SocketFile&& other) noexcept
    : fd_(std::move(other.fd_)),
      path_(std::move(other.path_)),
      inode_(std::exchange(other.inode_, 0)),
      locked_(std::exchange(other.locked_, false)) {}

SocketFile::~SocketFile() {
  if (inode_ != 0 && inode_of(path_) == inode_) ::unlink(path_.c_str());
  const std::string lock = path_ + ".lock";
  if (locked_ && owner_of(lock) == ::getpid()) ::unlink(lock.c_str());
}

Result<SocketFile> SocketFile::open(const Options& options) {
  SocketFile file;
  file.path_ = socket_path(options.dir, options.port);
  if (file.path_.size() > Endpoint::kMaxUnixPath) return failed(file.path_, "path is too long");
  if (!file.path_.starts_with('@')) POSTERN_TRY(file.lock(options.take_over));
  POSTERN_TRY(file.listen(options));
  return file;
}

Status SocketFile::lock(bool take_over) {
  const std::string lock = path_ + ".lock";
  int error = write_lock(lock, O_EXCL);
  if (error == EEXIST) {
    const pid_t owner = owner_of(lock);
    if (is_alive(owner) && !take_over) {
      return failed(lock, "process " + std::to_string(owner) + " has the socket");
    }
    error = write_lock(lock, O_TRUNC);
  }
  if (error != 0) return failed(lock, errno_text(error));
  locked_ = true;
  return ok();
}

Status SocketFile::listen(const Options& options) {
  fd_ = UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd_) return failed(path_, errno_text(errno));
  if (path_.starts_with('@')) {
    if (bind_to(fd_.get(), path_) != 0) return failed(path_, errno_text(errno));
    if (::listen(fd_.get(), options.backlog) != 0) return failed(path_, errno_text(errno));
    return ok();
  }
  return bind_file(options);
}

// Under another name first, so that the socket appears with its mode and already listening, in the
// place of a former one.
Status SocketFile::bind_file(const Options& options) {
  const std::string fresh =
      path_.substr(0, path_.rfind('/')) + "/.s.p" + std::to_string(::getpid());
  if (fresh.size() > Endpoint::kMaxUnixPath) return failed(fresh, "path is too long");
  ::unlink(fresh.c_str());
  const bool done = bind_to(fd_.get(), fresh) == 0 && ::chmod(fresh.c_str(), options.mode) == 0 &&
                    ::listen(fd_.get(), options.backlog) == 0;
  const ino_t inode = done ? inode_of(fresh) : 0;
  if (!done || ::rename(fresh.c_str(), path_.c_str()) != 0) {
    const std::string reason = errno_text(errno);
    ::unlink(fresh.c_str());
    return failed(path_, reason);
  }
  inode_ = inode;
  return ok();
}

}  // namespace postern::proxy
