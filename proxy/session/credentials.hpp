// What a client has to prove, and what Postern proves to servers in its place.
#pragma once

#include "proxy/session/session.hpp"

namespace postern::proxy {

/// The answer to protocol::LoginStep::Kind::kLookupUser: rules first, then the secret, from the
/// users file or by auth.query. Fills identity.method and identity.rule_replication. Refusals are
/// in the answer: those of AuthRules::admit and AuthQuery::lookup.
Task<protocol::UserAnswer> answer_login(Session* session, const protocol::LoginRequest* request);

/// Verifies a token and that it may be taken over this connection. kTokenNeedsTls, kSourceDisabled
/// without [identity.jwt], and those of TokenVerifier::verify.
Result<TokenIdentity> verify_token(Session* session, std::string_view token);

/// The client's address has failed too often: nothing it says is looked at. kTooManyFailures.
Status check_failures(Session* session);

/// Takes note of a login that failed before it was authenticated.
void note_failure(Session* session, const std::string& login, const Error& error);

/// Keeps what the client gave away, for server connections in its name.
void keep_proof(Session* session, protocol::LoginProof proof);

/// Fills in how to log in as identity.upstream_user: the database's password, the password of the
/// users file, or under the client's own name what its login gave away.
void give_credentials(Session* session, UpstreamTarget* target);

/// The server did not take what give_credentials() gave. Called with the error of attach_primary.
void note_refused_credentials(Session* session, const Error& error);

}  // namespace postern::proxy
