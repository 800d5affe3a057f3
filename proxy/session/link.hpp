// A session's server connections: acquire, arm, watch, give back, cancel.
#pragma once

#include "proxy/session/session.hpp"

namespace postern::proxy {

/// Makes sure that session->primary is a usable connection to the primary: takes one from the pool
/// or opens it, and starts its reply coroutine. kPoolTimeout, kUpstreamUnavailable, kUpstreamLogin
/// with the server's own reason.
Prompt<Status> attach_primary(Session* session);

/// A connection to the node given, for the length of one read. Not pumped: its caller reads.
Task<Result<std::unique_ptr<ServerLink>>> acquire_link(Session* session, Endpoint node);

/// By Postern's clock the connection's tenant context has not expired.
bool context_holds(const ServerLink& link);

/// A tenant is in force and the link carries no fresh context of it, or none is and it does.
bool arming_due(const Session& session, const ServerLink& link);

/// Adds the tenant context in front of what the session sends next; no round trip. Only outside
/// transactions, with nothing under way. kNoGuardKey.
Status arm_link(Session* session, ServerLink* link);

/// Adds a statement of ours by itself, whose answer is dropped and whose failure ends the session.
Status add_plain(ServerLink* link, std::string_view sql);

/// Gives a link back: resets and confirms it where it is clean, closes it where anything is open or
/// in doubt. The link's coroutine has ended or never ran.
Task<void> release_link(Session* session, std::unique_ptr<ServerLink> link);

/// Hands a link to the pool as it is, or closes it where it is not `clean`.
void give_back(Session* session, std::unique_ptr<ServerLink> link, bool clean);

/// Ends the primary's reply coroutine and gives the connection back: at the end, and in front of
/// another tenant.
Task<void> detach_primary(Session* session);

/// Passes a cancel request on to the server, if the session has something under way there.
void cancel_statement(const SessionPtr& session);

}  // namespace postern::proxy
