// The end of a request: what its outcome changes in the session.
#pragma once

#include "protocol/framer.hpp"
#include "proxy/session/session.hpp"

namespace postern::proxy {

/// So many requests of a client may await their replies before it has to wait, and are left when it
/// goes on: ServerLink::drained is set then too, and when one failed. Far enough apart that replies
/// which the server keeps back (8 KB) cannot hold up both.
inline constexpr std::size_t kManyRequests = 32'768;
inline constexpr std::size_t kFewRequests = 16'384;

/// Takes the unit of a completion off the link. Errors: kArmingFailed, kResetFailed.
Status on_completion(Session* session, ServerLink* link, const protocol::Completion& completion);

/// A reply to a message Postern sent for itself.
Status on_internal(Session* session, ServerLink* link, Unit& unit, const protocol::Frame& frame);

}  // namespace postern::proxy
