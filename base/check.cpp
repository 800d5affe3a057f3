#include "base/check.hpp"

#include <cstdio>
#include <cstdlib>

namespace postern::detail {

void check_failed(const char* condition, const char* file, int line) noexcept {
  std::fprintf(stderr, "postern: check failed: %s at %s:%d\n", condition, file, line);
  std::abort();
}

}  // namespace postern::detail
