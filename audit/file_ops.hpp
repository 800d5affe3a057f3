// The few system calls by which the log changes its files, as a struct of functions: tests put
// failing ones in their place.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/bytes.hpp"

namespace postern::audit {

/// All functions return like the system calls of the same name: -1 and errno on failure.
struct FileOps {
  std::function<int(const std::string& path)> create;  ///< O_CREAT|O_EXCL|O_WRONLY, 0600
  std::function<int(const std::string& path)> append;  ///< O_CREAT|O_APPEND|O_WRONLY, 0600
  std::function<std::int64_t(int fd, const char* data, std::size_t size)> write;
  std::function<int(int fd)> sync;                                           ///< fdatasync
  std::function<int(const std::string& path, std::uint64_t size)> truncate;  ///< with fsync
  std::function<int(const std::string& path)> remove;
  std::function<int(const std::string& path)> sync_folder;

  /// The real calls.
  static FileOps system();
};

/// Writes everything, going on after short writes. kAuditUnavailable with the reason otherwise.
Status write_all(const FileOps& ops, int fd, ByteView bytes);

/// Whole content of a file; kAuditUnreadable otherwise.
Result<Bytes> read_file(const std::string& path);

/// "No space left on device" and so on for the present errno.
std::string errno_text();

/// Owner of a file descriptor.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  Fd(Fd&& other) noexcept : fd_(other.release()) {}
  Fd& operator=(Fd&& other) noexcept;
  ~Fd() { reset(); }

  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool valid() const { return fd_ >= 0; }
  void reset();
  int release();

 private:
  int fd_ = -1;
};

}  // namespace postern::audit
