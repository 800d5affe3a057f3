// read_whole_file: the one place where configuration touches the disk.
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/codes/config.hpp"
#include "config/assign.hpp"

namespace postern::config {
namespace {

/// Closes on every way out.
class File {
 public:
  explicit File(const std::string& path) : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
};

Error unreadable(const std::string& path, const std::string& reason) {
  return make_error(pst::kConfigUnreadable, path + ": " + reason);
}

}  // namespace

Result<Bytes> read_whole_file(const std::string& path, std::size_t max_bytes) {
  const File file(path);
  if (file.fd() < 0) return unreadable(path, std::strerror(errno));
  struct stat status{};
  if (::fstat(file.fd(), &status) != 0) return unreadable(path, std::strerror(errno));
  if (S_ISDIR(status.st_mode)) return unreadable(path, "is a folder");
  Bytes content;
  char buffer[16 * 1024];
  for (;;) {
    const ssize_t n = ::read(file.fd(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return unreadable(path, std::strerror(errno));
    if (n == 0) break;
    content.append(buffer, static_cast<std::size_t>(n));
    if (content.size() > max_bytes) {
      wipe(content.data(), content.size());
      return unreadable(path, "is larger than " + std::to_string(max_bytes) + " bytes");
    }
  }
  wipe(buffer, sizeof buffer);
  return content;
}

}  // namespace postern::config
