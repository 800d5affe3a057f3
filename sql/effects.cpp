#include "sql/effects.hpp"

#include <algorithm>
#include <iterator>
#include <string_view>

namespace postern::sql {

namespace {

// Volatile functions of pg_catalog that change no table.
constexpr std::string_view kWritesNothing[] = {
    "clock_timestamp",
    "currval",
    "gen_random_uuid",
    "lastval",
    "nextval",
    "pg_advisory_lock",
    "pg_advisory_lock_shared",
    "pg_advisory_unlock",
    "pg_advisory_unlock_all",
    "pg_advisory_unlock_shared",
    "pg_advisory_xact_lock",
    "pg_advisory_xact_lock_shared",
    "pg_notify",
    "pg_sleep",
    "pg_sleep_for",
    "pg_sleep_until",
    "pg_try_advisory_lock",
    "pg_try_advisory_lock_shared",
    "pg_try_advisory_xact_lock",
    "pg_try_advisory_xact_lock_shared",
    "random",
    "set_config",
    "setseed",
    "setval",
    "timeofday",
};
static_assert(std::is_sorted(std::begin(kWritesNothing), std::end(kWritesNothing)));

}  // namespace

bool may_write(const Routine& routine) {
  if (routine.schema == "postern") return false;
  if (routine.schema != "pg_catalog") return routine.volatility == 'v' || routine.parallel != 's';
  return routine.volatility == 'v' &&
         !std::binary_search(std::begin(kWritesNothing), std::end(kWritesNothing), routine.name);
}

bool acts_on_its_own(const Catalog& catalog, const Relation& relation) {
  if (relation.has_triggers || relation.has_rules) return true;
  return std::any_of(relation.write_routines.begin(), relation.write_routines.end(), [&](Oid oid) {
    const Routine* routine = catalog.routine(oid);
    return routine == nullptr || may_write(*routine);
  });
}

}  // namespace postern::sql
