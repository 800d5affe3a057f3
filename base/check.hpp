// POSTERN_CHECK: programmer errors end the process at once; operating errors are Results.
#pragma once

namespace postern::detail {

/// Prints the failed condition to standard error and aborts. Core dumps are disabled by serve.
[[noreturn]] void check_failed(const char* condition, const char* file, int line) noexcept;

}  // namespace postern::detail

#define POSTERN_CHECK(condition)                                       \
  do {                                                                 \
    if (!(condition)) [[unlikely]] {                                   \
      ::postern::detail::check_failed(#condition, __FILE__, __LINE__); \
    }                                                                  \
  } while (false)
