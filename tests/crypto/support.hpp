// What several tests of crypto/ need: a throw-away folder, files, and key snapshots made by hand.
#pragma once

#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

#include <doctest/doctest.h>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "crypto/init.hpp"
#include "crypto/key_snapshot.hpp"

namespace postern::crypto::testing {

inline Bytes hex(std::string_view digits) {
  const auto bytes = from_hex(digits);
  REQUIRE(bytes.has_value());
  return *bytes;
}

inline TenantId tenant(std::string_view name) {
  return TenantId::parse(name).value();
}

/// A private folder that disappears with its content.
class TempFolder {
 public:
  TempFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "postern-XXXXXX").string();
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  ~TempFolder() { std::filesystem::remove_all(path_); }
  [[nodiscard]] std::string file(std::string_view name) const {
    return path_ + "/" + std::string(name);
  }
  [[nodiscard]] std::size_t entries() const {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(path_)) ++count;
    return count;
  }

 private:
  std::string path_;
};

inline void write_file(const std::string& path, ByteView content, mode_t mode = 0600) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  REQUIRE(fd >= 0);
  REQUIRE(::fchmod(fd, mode) == 0);
  REQUIRE(::write(fd, content.data(), content.size()) == static_cast<ssize_t>(content.size()));
  ::close(fd);
}

inline std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

inline mode_t mode_of(const std::string& path) {
  struct stat info{};
  REQUIRE(::stat(path.c_str(), &info) == 0);
  return info.st_mode & 07777;
}

/// A snapshot with the given keys; `deks` in the order of the entries' slots.
inline std::shared_ptr<const KeySnapshot> snapshot_of(std::vector<KeySnapshot::Entry> entries,
                                                      const std::vector<Bytes>& deks) {
  REQUIRE(init());
  GuardedSlab slab(deks.size(), 32);
  for (std::size_t i = 0; i < deks.size(); ++i) slab.store(i, deks[i]);
  slab.freeze();
  return std::make_shared<const KeySnapshot>(std::move(entries), std::move(slab), 1);
}

}  // namespace postern::crypto::testing
