// Files of key material: private reading, durable atomic writing, a lock between processes.
#pragma once

#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"

namespace postern::crypto {

/// Reads a regular file of at most `max_bytes` without any permission for group and others
/// (symbolic links are followed). kKeyFileUnreadable, kKeyFilePermissions, kBadKeyMaterial (too
/// long).
Result<Secret> read_private_file(const std::string& path, std::size_t max_bytes);

/// Replaces the file by one of mode 0600 with this content: temporary file beside it, fsync,
/// rename, fsync of the folder. After success the content is durable; after failure
/// (kKeyStoreWrite) the old content is whole.
Status replace_file(const std::string& path, ByteView content);

/// As replace_file, but never overwrites: kKeyFileExists where the path exists.
Status write_new_file(const std::string& path, ByteView content);

/// An exclusive advisory lock (flock) on a file that is created if absent, held until destruction.
class FileLock {
 public:
  /// Waits for other holders. kKeyStoreWrite where the file cannot be made.
  static Result<FileLock> acquire(const std::string& path);
  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&& other) = delete;
  ~FileLock();

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace postern::crypto
