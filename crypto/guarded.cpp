#include "crypto/guarded.hpp"

#include <cstring>

#include <sodium.h>

#include "base/check.hpp"

namespace postern::crypto {

void GuardedSlab::Free::operator()(char* memory) const noexcept {
  sodium_free(memory);  // makes it writable again, wipes and unmaps
}

GuardedSlab::GuardedSlab(std::size_t slots, std::size_t slot_bytes)
    : slots_(slots), slot_bytes_(slot_bytes) {
  POSTERN_CHECK(slots > 0 && slot_bytes > 0);
  memory_.reset(static_cast<char*>(sodium_allocarray(slots, slot_bytes)));
  POSTERN_CHECK(memory_ != nullptr);
  std::memset(memory_.get(), 0, slots * slot_bytes);
}

ByteView GuardedSlab::slot(std::size_t index) const {
  POSTERN_CHECK(index < slots_);
  return {memory_.get() + index * slot_bytes_, slot_bytes_};
}

char* GuardedSlab::writable_slot(std::size_t index) {
  POSTERN_CHECK(index < slots_);
  return memory_.get() + index * slot_bytes_;
}

void GuardedSlab::store(std::size_t index, ByteView bytes) {
  POSTERN_CHECK(bytes.size() == slot_bytes_);
  std::memcpy(writable_slot(index), bytes.data(), bytes.size());
}

void GuardedSlab::freeze() {
  POSTERN_CHECK(sodium_mprotect_readonly(memory_.get()) == 0);
}

}  // namespace postern::crypto
