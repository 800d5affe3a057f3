#include "audit/file_ops.hpp"

#include <cerrno>
#include <fcntl.h>
#include <system_error>
#include <unistd.h>

#include "base/codes/audit.hpp"

namespace postern::audit {
namespace {

int truncate_and_sync(const std::string& path, std::uint64_t size) {
  const Fd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd.valid()) return -1;
  if (::ftruncate(fd.get(), static_cast<off_t>(size)) != 0) return -1;
  return ::fsync(fd.get());
}

int sync_directory(const std::string& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return fd.valid() ? ::fsync(fd.get()) : -1;
}

}  // namespace

FileOps FileOps::system() {
  FileOps ops;
  ops.create = [](const std::string& path) {
    return ::open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
  };
  ops.append = [](const std::string& path) {
    return ::open(path.c_str(), O_CREAT | O_APPEND | O_WRONLY | O_CLOEXEC, 0600);
  };
  ops.write = [](int fd, const char* data, std::size_t size) -> std::int64_t {
    return ::write(fd, data, size);
  };
  ops.sync = [](int fd) { return ::fdatasync(fd); };
  ops.truncate = truncate_and_sync;
  ops.remove = [](const std::string& path) { return ::unlink(path.c_str()); };
  ops.sync_folder = sync_directory;
  return ops;
}

Status write_all(const FileOps& ops, int fd, ByteView bytes) {
  while (!bytes.empty()) {
    const std::int64_t n = ops.write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return make_error(pst::kAuditUnavailable, "write: " + errno_text());
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return ok();
}

Result<Bytes> read_file(const std::string& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return make_error(pst::kAuditUnreadable, path + ": " + errno_text());
  const off_t end = ::lseek(fd.get(), 0, SEEK_END);
  Bytes content;
  if (end > 0) content.resize(static_cast<std::size_t>(end));
  std::size_t have = 0;
  while (have < content.size()) {
    const ssize_t n =
        ::pread(fd.get(), content.data() + have, content.size() - have, static_cast<off_t>(have));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return make_error(pst::kAuditUnreadable, path + ": " + errno_text());
    if (n == 0) break;
    have += static_cast<std::size_t>(n);
  }
  content.resize(have);
  return content;
}

std::string errno_text() {
  return std::generic_category().message(errno);
}

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    reset();
    fd_ = other.release();
  }
  return *this;
}

void Fd::reset() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

int Fd::release() {
  const int fd = fd_;
  fd_ = -1;
  return fd;
}

}  // namespace postern::audit
