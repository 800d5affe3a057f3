// Shell-like patterns over names: '*' any run of bytes, '?' one byte, everything else itself.
#pragma once

#include <string_view>

namespace postern::policy {

[[nodiscard]] bool has_glob(std::string_view pattern);
/// Whole-name match, byte by byte; linear in pattern times name at worst.
[[nodiscard]] bool glob_match(std::string_view pattern, std::string_view name);

}  // namespace postern::policy
