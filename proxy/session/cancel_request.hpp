// A connection that asks to cancel another session's statement.
#pragma once

#include "protocol/client_login.hpp"
#include "proxy/session/session.hpp"

namespace postern::proxy {

/// Cancels here, or where a peer has the session; the client is told nothing. Wrong keys count
/// against the client's address (Runtime::wrong_cancels): one that sent too many is not heard, not
/// even with a right one. Returns when the session's instance has the request, so that a client
/// which waits for the end of its connection cannot hit a statement it sends afterwards.
Task<void> act_on_cancel(Session* session, protocol::CancelOrder order);

}  // namespace postern::proxy
