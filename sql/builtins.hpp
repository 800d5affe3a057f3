// Private to sql/: what PostgreSQL itself defines and analysis must know even where the catalog
// snapshot does not list it.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/ids.hpp"

namespace postern::sql {

/// What a function of pg_catalog means to us. A set of bits.
enum class Builtin : std::uint16_t {
  kNone = 0,        ///< not in our table
  kKnown = 1 << 0,  ///< harmless, reads its arguments only
  kClock = 1 << 1,
  kSession = 1 << 2,  ///< result depends on the session, its user, its settings or its transaction
  kSetting = 1 << 3,  ///< set_config
  kLock = 1 << 4,     ///< advisory locks
  kSequence = 1 << 5,
  kCount = 1 << 6,
  kExtreme = 1 << 7,  ///< min, max: ordering of the argument
};
constexpr bool has(Builtin set, Builtin bit) {
  return (static_cast<unsigned>(set) & static_cast<unsigned>(bit)) != 0;
}

/// By lower-case name without schema.
Builtin builtin_function(std::string_view name);

/// Oid of a type of pg_catalog by its catalog name ("int4", "timestamptz"); kInvalidOid if it is
/// not in our table.
Oid builtin_type(std::string_view name);
/// Oid of the array type over a type that builtin_type knows.
Oid builtin_array(Oid element);
/// regclass and its kin: the cast looks names up in the catalog.
bool is_reg_type(Oid type);

/// ctid, xmin, tableoid, ...
bool is_system_column(std::string_view name);

}  // namespace postern::sql
