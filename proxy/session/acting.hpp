// Whom a session acts for, and everything that follows from it.
#pragma once

#include "proxy/session/session.hpp"

namespace postern::proxy {

/// Sets tenant, subject and purpose, and what pools and tenant contexts are told apart by. The
/// session's server connection is the caller's to change.
void act_for(Session* session, ActsFor who);

/// The server says that no transaction is open: what was named for its length is over.
void end_choice(Session* session);

/// kIdentityExpired where the client's proof holds no longer.
Status still_valid(const Session& session);

/// The text is SHOW postern.tenant and nothing else.
bool shows_tenant(const AnalysedText& analysed);

}  // namespace postern::proxy
