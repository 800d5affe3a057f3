// Steps 9 and 10 of a query's path: what the server says, on its way to the client.
#pragma once

#include "proxy/session/session.hpp"

namespace postern::proxy {

/// Starts the coroutine that reads the primary's replies for as long as the session holds it.
void start_pump(SessionPtr session);

/// Reads a link that no coroutine pumps until its reply queue is empty, passing on what is the
/// client's. Errors: kUpstreamLost, kServerProtocol, kTransportClosed (the client is gone), and
/// those that end the session (see passing.hpp).
Task<Status> drain_replies(Session* session, ServerLink* link);

/// A message of which the client has a part, and not the end: nothing else can be said to it.
bool cuts_message(const ServerLink& link);
/// The same of whichever link the session has.
bool amid_message(const Session& session);

}  // namespace postern::proxy
