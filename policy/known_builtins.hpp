// Private to policy/: names of pg_catalog that are known to be harmless to tenants. What a newer
// server has besides is judged as unknown, and so refused until it has been looked at.
#pragma once

#include <string_view>

namespace postern::policy {

/// A stable or volatile function of pg_catalog in PostgreSQL 15 that no list refuses. Immutable
/// ones are not listed: they see nothing but their arguments.
[[nodiscard]] bool is_known_function(std::string_view name);

/// A table or view of pg_catalog in PostgreSQL 15 that no list refuses.
[[nodiscard]] bool is_known_relation(std::string_view name);

}  // namespace postern::policy
