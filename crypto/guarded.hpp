// Guarded memory for live keys: locked, between inaccessible pages, kept out of core dumps.
#pragma once

#include <cstddef>
#include <memory>

#include "base/bytes.hpp"

namespace postern::crypto {

/// One sodium_malloc'ed slab of equal slots. Wiped and released on destruction. Costs about three
/// pages beyond its size, hence one slab for many keys. Not synchronised; reading a frozen slab is
/// safe from any thread. It has no printable form: slot() is for this folder only.
class GuardedSlab {
 public:
  GuardedSlab() = default;
  /// `slots` and `slot_bytes` of at least 1; ends the process where memory cannot be had.
  GuardedSlab(std::size_t slots, std::size_t slot_bytes);

  [[nodiscard]] std::size_t slots() const { return slots_; }
  /// View valid as long as the slab lives.
  [[nodiscard]] ByteView slot(std::size_t index) const;
  [[nodiscard]] char* writable_slot(std::size_t index);
  void store(std::size_t index, ByteView bytes);
  /// Makes the pages read-only; a later write ends the process.
  void freeze();

 private:
  struct Free {
    void operator()(char* memory) const noexcept;
  };
  std::unique_ptr<char, Free> memory_;
  std::size_t slots_ = 0;
  std::size_t slot_bytes_ = 0;
};

}  // namespace postern::crypto
