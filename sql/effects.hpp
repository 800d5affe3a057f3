// What runs behind a write, and what a routine may do: for write sets.
#pragma once

#include "sql/catalog.hpp"

namespace postern::sql {

/// May the routine change tables? Postern's own and those of pg_catalog that are known not to do
/// so may not; else what is neither stable nor immutable may, and outside pg_catalog also what is
/// not parallel safe.
[[nodiscard]] bool may_write(const Routine& routine);

/// Does a write to the relation set off what we do not see: triggers, rules, or defaults, generated
/// columns and checks with routines that may write or are unknown?
[[nodiscard]] bool acts_on_its_own(const Catalog& catalog, const Relation& relation);

}  // namespace postern::sql
