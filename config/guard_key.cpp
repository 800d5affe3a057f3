#include "config/guard_key.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/codes/session.hpp"
#include "crypto/context_mac.hpp"
#include "crypto/hash.hpp"

namespace postern::config {
namespace {

constexpr std::size_t kKidDigits = 16;

Error unreadable(const std::string& path, const std::string& why) {
  return make_error(pst::kGuardKeyUnreadable, path + ": " + why);
}

std::string reason() {
  return std::strerror(errno);
}

class File {
 public:
  explicit File(int fd) : fd_(fd) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

}  // namespace

Result<Secret> load_guard_key(const std::string& path) {
  const File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (file.get() < 0) return unreadable(path, reason());
  struct stat info{};
  if (::fstat(file.get(), &info) != 0) return unreadable(path, reason());
  if (!S_ISREG(info.st_mode)) return unreadable(path, "not a regular file");
  if ((info.st_mode & 077) != 0) return unreadable(path, "readable by others (chmod 600 it)");
  // One byte more than a key with its newline shows whether the file is longer.
  constexpr std::size_t kDigits = 2 * crypto::kGuardKeyBytes;
  Bytes text(kDigits + 2, '\0');
  const ssize_t size = ::read(file.get(), text.data(), text.size());
  if (size < 0) return unreadable(path, reason());
  text.resize(static_cast<std::size_t>(size));
  if (text.size() == kDigits + 1 && text.back() == '\n') text.pop_back();
  auto key = text.size() == kDigits ? from_hex(text) : std::nullopt;
  wipe(text);
  if (!key) return unreadable(path, "does not hold 64 hexadecimal digits");
  return Secret(std::move(*key));
}

Status create_guard_key(const std::string& path) {
  const File file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (file.get() < 0) return unreadable(path, reason());
  Bytes text = to_hex(crypto::generate_guard_key().reveal()) + "\n";
  const bool written =
      ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
      ::fsync(file.get()) == 0;
  wipe(text);
  return written ? ok() : Status(unreadable(path, reason()));
}

std::string next_guard_key_file(const std::string& path) {
  return path + ".next";
}

Status promote_guard_key(const std::string& path) {
  const std::string next = next_guard_key_file(path);
  if (::rename(next.c_str(), path.c_str()) == 0) return ok();
  return unreadable(next, reason());
}

std::string guard_kid(ByteView key) {
  return to_hex(crypto::sha256(key).view()).substr(0, kKidDigits);
}

}  // namespace postern::config
