// The part of a login before anything is known of the client: TLS, SCRAM, rules.
#pragma once

#include "proxy/session/session.hpp"

namespace postern::proxy {

protocol::ClientLogin::Options client_login_options(Session* session);

/// Runs the machine to its end over the session's transport. True: authenticated, AuthenticationOk
/// was sent. False: a cancel request, acted on. Errors were told to the client.
Task<Result<bool>> authenticate(Session* session, protocol::ClientLogin* login);

/// Writes to the client during login, when nothing else does.
Task<Status> write_client(Session* session, const Bytes* bytes);

}  // namespace postern::proxy
