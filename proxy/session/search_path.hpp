// The schemas that unqualified names are looked up in.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace postern::proxy {

/// Longer paths are not followed: they are part of cache keys.
inline constexpr std::size_t kMaxSearchPathBytes = 4096;

/// Reads a search_path value as PostgreSQL shows it or a client sets it: identifiers separated by
/// commas, folded to lower case unless quoted; "$user" becomes `user`. nullopt where the text is
/// not such a list (SplitIdentifierString of PostgreSQL's varlena.c is the rule followed).
std::optional<std::vector<std::string>> parse_search_path(std::string_view text,
                                                          std::string_view user);

}  // namespace postern::proxy
