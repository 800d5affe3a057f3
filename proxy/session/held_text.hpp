// How much text a client has prepared.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>

namespace postern::proxy {

/// The share of one statement's text in what its client may have prepared
/// (limits.client_statement_bytes).
class HeldText {
 public:
  HeldText() = default;
  HeldText(std::shared_ptr<std::size_t> total, std::size_t bytes)
      : total_(std::move(total)), bytes_(bytes) {
    *total_ += bytes_;
  }
  HeldText(HeldText&& other) noexcept { swap(other); }
  HeldText& operator=(HeldText&& other) noexcept {
    HeldText taken(std::move(other));
    swap(taken);
    return *this;
  }
  ~HeldText() {
    if (total_ != nullptr) *total_ -= bytes_;
  }

 private:
  void swap(HeldText& other) noexcept {
    std::swap(total_, other.total_);
    std::swap(bytes_, other.bytes_);
  }
  std::shared_ptr<std::size_t> total_;
  std::size_t bytes_ = 0;
};

}  // namespace postern::proxy
