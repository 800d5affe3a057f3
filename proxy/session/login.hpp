// A client's login, from its first byte to ReadyForQuery.
#pragma once

#include "proxy/session/session.hpp"

namespace postern::proxy {

enum class LoginOutcome : std::uint8_t {
  kReady,        ///< serve it
  kReplication,  ///< relay it
  kClosed,       ///< cancel request handled, refused, or gone: nothing more to do
};

/// Drives protocol::ClientLogin over the session's transport, identifies the client, opens its
/// server connection and completes the login with the server's parameters and our own cancel key.
/// Refusals have been sent, counted and audited when it returns.
Task<LoginOutcome> log_in(Session* session);

/// The database asked for. kUnknownDatabase. After authentication only: names
/// under "*" cost memory.
Status find_database(Session* session, const protocol::LoginRequest& request);

/// Fills identity and settings; the database's protection is known. Errors: kTenantNotAllowed,
/// kBadTenant, kStartupParameterRefused, kStrangerRefused.
Status identify(Session* session, protocol::LoginRequest request);

}  // namespace postern::proxy
