// The part of a login before anything is known of the client: TLS, SCRAM, rules.
#pragma once

#include "proxy/session/session.hpp"

namespace postern::proxy {

/// `tls` is what is offered on this connection; null: none.
protocol::ClientLogin::Options client_login_options(Session* session, const ClientTls* tls);

/// What SCRAM-SHA-256-PLUS binds to: PLUS is offered where TLS ends here and the certificate has a
/// hash to bind to. Empty: it is not. The transport is encrypted.
Bytes own_binding(Session* session);

/// Runs the machine to its end over the session's transport. True: authenticated, AuthenticationOk
/// was sent. False: a cancel request, acted on. Errors were told to the client.
Task<Result<bool>> authenticate(Session* session, protocol::ClientLogin* login,
                                const ClientTls* tls);

/// Why it is not let in, as the last thing it hears.
Task<void> tell_refused(Session* session, const Error* error);
/// Writes to the client during login.
Task<Status> write_client(Session* session, const Bytes* bytes);

}  // namespace postern::proxy
