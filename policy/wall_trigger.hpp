// New tables behind the wall, and walls that stay: bodies of the functions that event triggers run,
// and the statements that create and drop these.
//
// `postern_wall_1` runs with the rights of whoever makes the table: it puts the wall on tables with
// the tenant column, on new partitions and children, makes views security_invoker, and refuses what
// cannot be walled. `postern_wall_2` records in wall_state with the wall owner's rights.
// `postern_wall_3` and `postern_wall_4` refuse commands that open a wall, but of superusers and
// members of the wall's owner, who apply plans.
#pragma once

#include <string>
#include <string_view>

#include "policy/ruleset.hpp"

namespace postern::policy {

inline constexpr std::string_view kEventTriggers[] = {"postern_wall_1", "postern_wall_2",
                                                      "postern_wall_3", "postern_wall_4"};

/// postern.wall_column(oid): the tenant column that the configuration gives a relation; '' where it
/// is shared, NULL where nothing was said of it.
std::string wall_column_body(const Ruleset& rules);
std::string wall_new_body(const Ruleset& rules);
std::string wall_record_body(const Ruleset& rules);
/// wall_kept.cpp
std::string wall_kept_body();

/// Creating event triggers takes a superuser; without one these statements only warn.
std::string create_event_triggers_sql();
std::string drop_event_triggers_sql();

}  // namespace postern::policy
