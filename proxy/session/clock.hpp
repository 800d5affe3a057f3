// Watches a session's time limits: where one passes, the client hears why and the session ends.
#pragma once

#include "proxy/session/session.hpp"

namespace postern::proxy {

/// Something was sent to a server for the client.
void clock_request(Session* session);
/// ReadyForQuery with this status came, and this many requests are still unanswered.
void clock_ready(Session* session, bool in_transaction, std::size_t unanswered);
/// The client's coroutine waits for the client, or goes on.
void clock_parked(Session* session);
void clock_resumed(Session* session);

/// What Session::watch calls: remembers the reason and wakes the client's coroutine.
void on_time_limit(void* session);

}  // namespace postern::proxy
