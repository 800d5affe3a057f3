// The catalog snapshot's SQL and how its rows become sql::Catalog. Pure: the service connection
// that runs the statements is elsewhere.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>

#include "base/result.hpp"
#include "proxy/catalog/rows.hpp"
#include "sql/catalog.hpp"

namespace postern::proxy {

/// The statements of one snapshot, run in this order in one REPEATABLE READ transaction on a
/// connection with search_path=''. Every name is schema-qualified.
enum class CatalogPart : std::uint8_t {
  kDatabase,
  kRelations,
  kColumns,
  kInheritance,
  kForeignKeys,
  kUniqueKeys,
  kPolicies,
  kPolicyDependencies,
  kViewDependencies,
  kWriteRoutines,
  kRoutines,
  kOperators,
  kTypes,
  kCasts,
};
inline constexpr std::size_t kCatalogParts = 14;

std::string_view catalog_sql(CatalogPart part);

/// One row, one column: a text that changes whenever a snapshot would. Cheap enough for polling.
std::string_view catalog_fingerprint_sql();

/// Builds the snapshot from the parts' rows, indexed by CatalogPart. Errors: kCatalogUnreadable
/// where a row does not have the form its statement promises.
Result<std::shared_ptr<const sql::Catalog>> build_catalog(
    const std::array<Rows, kCatalogParts>& parts, std::uint64_t epoch);

}  // namespace postern::proxy
