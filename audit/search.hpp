// Search: a stream over the records with filters. It verifies while it reads, so that a filtered
// view cannot hide a break.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "audit/verify.hpp"

namespace postern::audit {

/// All given filters must hold. Empty means any. Text is compared byte by byte.
struct SearchFilter {
  std::string tenant;
  std::string login;
  std::string table;  ///< "schema.table", or "table" in any schema
  std::string code;   ///< PST-xxxx or SQLSTATE, in a decision or an outcome
  std::optional<Kind> kind;
  std::optional<std::int64_t> from_us;   ///< inclusive
  std::optional<std::int64_t> until_us;  ///< exclusive
};

/// One line of JSON without line break:
/// {"idx":N,"leaf":"<hex>","origin":"...","record":{...}}. ASCII only: everything that a terminal
/// or page might act on is escaped, so text from SQL is shown and never performed.
/// An outcome is found through its intent: it follows the filters tenant, login and table of it.
/// Returns the report of the scan; a caller must show its findings.
VerifyReport search_log(const VerifyOptions& options, const SearchFilter& filter,
                        const std::function<void(const std::string& line)>& emit);

/// Escapes every character that is not printable ASCII as \uXXXX. `json` must be valid JSON text.
std::string ascii_json(std::string_view json);

}  // namespace postern::audit
