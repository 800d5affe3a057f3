// The guard key's way into a database, without a trace in the server's log.
#pragma once

#include <string>

#include "base/result.hpp"
#include "schema/connection.hpp"

namespace postern::app {

/// Makes this session's bound parameters stay out of the server's log. kKeyWouldBeLogged where they
/// would be written and the login may not change that.
Status keep_keys_out_of_log(schema::Connection& connection);

/// Puts the key of `file` into the wall's key table; run after the plan, as the same role, on a
/// connection that keeps keys out of the log. Returns its kid.
Result<std::string> install_guard_key(schema::Connection& connection, const std::string& file);

/// Whether the database accepts a context signed with this key: signs one for the connection's own
/// backend and asks postern.tenant() about it. Needs pg_read_all_stats of nobody but the wall's
/// owner. kDatabaseRefused with the server's reason where it does not.
Status try_guard_key(schema::Connection& connection, const std::string& file);

}  // namespace postern::app
