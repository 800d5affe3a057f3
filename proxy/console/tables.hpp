// Snapshot to rows. Pure.
#pragma once

#include "proxy/console/reply.hpp"
#include "proxy/console/snapshot.hpp"

namespace postern::proxy::console {

/// Whether the command's table needs what only the workers know.
Visit visit_of(Verb verb);

/// Tells the servers listed by whom they are pinned.
void mark_pinned(Snapshot& snapshot);

/// The rows of a SHOW or SELECT. Precondition: columns_of(verb) is not empty. `setting` is the name
/// asked for by SHOW of a setting.
std::vector<Row> rows_of(Verb verb, const Snapshot& snapshot, std::string_view setting);

}  // namespace postern::proxy::console
