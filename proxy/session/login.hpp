// A client's login, from its first byte to ReadyForQuery.
#pragma once

#include "proxy/session/session.hpp"

namespace postern::proxy {

enum class LoginOutcome : std::uint8_t {
  kReady,   ///< serve it
  kClosed,  ///< cancel request handled, refused, or gone: nothing more to do
};

/// Drives protocol::ClientLogin over the session's transport, identifies the client, opens its
/// server connection and completes the login with the server's parameters and our own cancel key.
/// Refusals have been sent, counted and audited when it returns.
Task<LoginOutcome> log_in(Session* session);

/// Fills identity, database and settings from an authenticated request. Errors: kUnknownDatabase,
/// kReplicationRefused, kNoTenantChoice, kBadTenant, kProtectionBlocked and others that end the
/// login.
Status identify(Session* session, protocol::LoginRequest request);

}  // namespace postern::proxy
