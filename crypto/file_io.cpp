#include "crypto/file_io.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "base/codes/crypto.hpp"
#include "crypto/init.hpp"

namespace postern::crypto {
namespace {

/// Closes a file descriptor at the end of the scope.
class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool ok() const { return fd_ >= 0; }

 private:
  int fd_;
};

Error file_error(Pst code, const std::string& path, int error) {
  return make_error(code, "\"" + path + "\": " + std::strerror(error));
}

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Status check_private(const std::string& path, int fd, std::size_t max_bytes) {
  struct stat info{};
  if (::fstat(fd, &info) != 0) return file_error(pst::kKeyFileUnreadable, path, errno);
  if (!S_ISREG(info.st_mode)) {
    return make_error(pst::kKeyFileUnreadable, "\"" + path + "\" is not a regular file");
  }
  if ((info.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return make_error(pst::kKeyFilePermissions, "\"" + path + "\"");
  }
  if (static_cast<std::size_t>(info.st_size) > max_bytes) {
    return make_error(pst::kBadKeyMaterial, "\"" + path + "\" is too long");
  }
  return ok();
}

// Reads to the end, or one byte past the limit where the file grows meanwhile.
Result<Secret> read_all(const std::string& path, int fd, std::size_t max_bytes) {
  struct stat info{};
  if (::fstat(fd, &info) != 0) return file_error(pst::kKeyFileUnreadable, path, errno);
  Bytes content(static_cast<std::size_t>(info.st_size) + 1, '\0');
  std::size_t size = 0;
  while (true) {
    const ssize_t n = ::read(fd, content.data() + size, content.size() - size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return file_error(pst::kKeyFileUnreadable, path, errno);
    size += static_cast<std::size_t>(n);
    if (n == 0 || size == content.size()) break;
  }
  if (size == content.size() || size > max_bytes) {
    return make_error(pst::kKeyFileUnreadable, "\"" + path + "\" changes while it is read");
  }
  content.resize(size);
  return Secret(std::move(content));
}

Status write_all(const std::string& path, int fd, ByteView content) {
  while (!content.empty()) {
    const ssize_t n = ::write(fd, content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return file_error(pst::kKeyStoreWrite, path, errno);
    content.remove_prefix(static_cast<std::size_t>(n));
  }
  if (::fsync(fd) != 0) return file_error(pst::kKeyStoreWrite, path, errno);
  return ok();
}

Status sync_folder(const std::string& path) {
  const std::string folder = folder_of(path);
  const Fd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.ok() || ::fsync(fd.get()) != 0) return file_error(pst::kKeyStoreWrite, folder, errno);
  return ok();
}

// Writes a durable file of mode 0600 beside `path` and returns its name.
Result<std::string> write_beside(const std::string& path, ByteView content) {
  const std::string temporary = path + ".tmp-" + to_hex(random_bytes(8));
  const Fd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd.ok()) return file_error(pst::kKeyStoreWrite, temporary, errno);
  Status written = write_all(temporary, fd.get(), content);
  if (!written) {
    ::unlink(temporary.c_str());
    return std::move(written).error();
  }
  return temporary;
}

}  // namespace

Result<Secret> read_private_file(const std::string& path, std::size_t max_bytes) {
  // O_NONBLOCK: opening a FIFO must not hang; it has no effect on regular files.
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.ok()) return file_error(pst::kKeyFileUnreadable, path, errno);
  POSTERN_TRY(check_private(path, fd.get(), max_bytes));
  return read_all(path, fd.get(), max_bytes);
}

Status replace_file(const std::string& path, ByteView content) {
  POSTERN_ASSIGN(const std::string temporary, write_beside(path, content));
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    const int error = errno;
    ::unlink(temporary.c_str());
    return file_error(pst::kKeyStoreWrite, path, error);
  }
  return sync_folder(path);
}

Status write_new_file(const std::string& path, ByteView content) {
  POSTERN_ASSIGN(const std::string temporary, write_beside(path, content));
  const int failed = ::link(temporary.c_str(), path.c_str());
  const int error = errno;
  ::unlink(temporary.c_str());
  if (failed != 0) {
    return file_error(error == EEXIST ? pst::kKeyFileExists : pst::kKeyStoreWrite, path, error);
  }
  return sync_folder(path);
}

Result<FileLock> FileLock::acquire(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return file_error(pst::kKeyStoreWrite, path, errno);
  FileLock lock(fd);
  while (::flock(fd, LOCK_EX) != 0) {
    if (errno != EINTR) return file_error(pst::kKeyStoreWrite, path, errno);
  }
  return lock;
}

FileLock::FileLock(FileLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

FileLock::~FileLock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace postern::crypto
