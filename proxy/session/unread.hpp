// What is passed to the server without being read: function calls, and messages too long to be held
// whole, which go on in parts as they come.
#pragma once

#include <cstddef>

#include "protocol/framer.hpp"
#include "proxy/session/session.hpp"

namespace postern::proxy {

/// A longer message is passed on in parts, where its content need not be known. That much of it is
/// awaited before it begins.
inline constexpr std::size_t kLongMessage = 256 * 1024;

/// Rows of a COPY; on a database without protection also the text of a Query and the values of a
/// Bind.
bool passes_in_parts(const Session& session, const protocol::Header& header);

/// The first kLongMessage bytes of such a message are unread: what belongs in front of it is sent,
/// and the rest is left to pass_long(). Errors end the session: kMessageTooLarge for a Bind whose
/// names fill all that is here.
Task<Status> take_long(Session* session, protocol::Header header);

/// Passes on, or drops, what is here of a long message. Returns what is still due of it.
std::size_t pass_long(Session* session);

/// The fast-path call names a function by oid: nothing the gate could look at. Refused where there
/// is one, PST-2408; elsewhere recorded as not understood.
Task<Status> run_function_call(Session* session, const protocol::Frame* frame);

}  // namespace postern::proxy
