// Secret: bytes that are wiped when released and cannot be printed, compared or copied by accident.
#pragma once

#include <cstddef>
#include <string>
#include <utility>

#include "base/bytes.hpp"

namespace postern {

/// Overwrites memory in a way the compiler may not remove.
void wipe(void* memory, std::size_t size) noexcept;
void wipe(std::string& bytes) noexcept;

/// Owner of secret bytes (a password, a key, a plaintext). Move-only; wiped on destruction.
/// There is no stream operator and no conversion: `reveal()` is the one place to grep for.
class Secret {
 public:
  Secret() = default;
  explicit Secret(Bytes bytes) noexcept : bytes_(std::move(bytes)) {}
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  Secret(Secret&& other) noexcept : bytes_(std::move(other.bytes_)) { wipe(other.bytes_); }
  Secret& operator=(Secret&& other) noexcept {
    if (this != &other) {
      wipe(bytes_);
      bytes_ = std::move(other.bytes_);
      wipe(other.bytes_);
    }
    return *this;
  }
  ~Secret() { wipe(bytes_); }

  [[nodiscard]] Secret clone() const { return Secret(bytes_); }
  /// View valid as long as this Secret lives and is not assigned to.
  [[nodiscard]] ByteView reveal() const noexcept { return bytes_; }
  [[nodiscard]] bool empty() const noexcept { return bytes_.empty(); }
  [[nodiscard]] std::size_t size() const noexcept { return bytes_.size(); }

 private:
  Bytes bytes_;
};

/// Equal content, in time that depends on the lengths only.
bool equal_constant_time(ByteView a, ByteView b) noexcept;

}  // namespace postern
