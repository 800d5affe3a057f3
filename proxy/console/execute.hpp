// Runs one command that the engine has let through.
#pragma once

#include "proxy/console/console.hpp"
#include "proxy/console/reply.hpp"

namespace postern::proxy::console {

/// Commands that need an administrator are logged, and recorded where there is an access log,
/// before they are carried out. Notices are appended to the session's output.
Task<Result<Reply>> execute(Session* session, const Command* command);

}  // namespace postern::proxy::console
