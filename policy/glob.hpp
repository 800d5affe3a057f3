// Shell-like patterns over names: '*' any run of bytes, '?' one byte, everything else itself.
#pragma once

#include <string_view>

namespace postern::policy {

[[nodiscard]] bool has_glob(std::string_view pattern);
/// glob_match() of what may match by its first byte.
[[nodiscard]] bool glob_match_whole(std::string_view pattern, std::string_view name);
/// Whole-name match, byte by byte; linear in pattern times name at worst.
[[nodiscard]] inline bool glob_match(std::string_view pattern, std::string_view name) {
  // Of a long list of patterns hardly any begins like the name.
  const bool told = !pattern.empty() && !name.empty() && pattern[0] != '*' && pattern[0] != '?';
  if (told && pattern[0] != name[0]) return false;
  return glob_match_whole(pattern, name);
}

}  // namespace postern::policy
