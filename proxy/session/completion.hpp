// The end of a request: what its outcome changes in the session.
#pragma once

#include "protocol/framer.hpp"
#include "proxy/session/session.hpp"

namespace postern::proxy {

/// Takes the unit of a completion off the link. Errors: kArmingFailed, kResetFailed.
Status on_completion(Session* session, ServerLink* link, const protocol::Completion& completion);

/// A reply to a message Postern sent for itself.
Status on_internal(Session* session, ServerLink* link, Unit& unit, const protocol::Frame& frame);

}  // namespace postern::proxy
