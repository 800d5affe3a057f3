#include <cstdio>
#include <string_view>
#include <vector>

#include "app/command.hpp"

int main(int argc, char** argv) {
  const std::vector<std::string_view> words(argv + (argc > 0 ? 1 : 0), argv + argc);
  const auto code = postern::app::dispatch(words);
  // Output that did not arrive (a full disk, a closed pipe) is not a success.
  if (std::fflush(stdout) != 0) return static_cast<int>(postern::app::Exit::kEnvironment);
  return static_cast<int>(code);
}
