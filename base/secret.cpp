#include "base/secret.hpp"

#include <string.h>  // explicit_bzero

namespace postern {

void wipe(void* memory, std::size_t size) noexcept {
  if (size != 0) explicit_bzero(memory, size);
}

void wipe(std::string& bytes) noexcept {
  // The whole capacity: a shrunk string keeps old bytes behind its end.
  wipe(bytes.data(), bytes.capacity());
  bytes.clear();
}

bool equal_constant_time(ByteView a, ByteView b) noexcept {
  if (a.size() != b.size()) return false;
  // Volatile, so that no optimiser finds out that it may stop early.
  volatile unsigned difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference = difference | (byte_at(a, i) ^ byte_at(b, i));
  }
  return difference == 0;
}

}  // namespace postern
