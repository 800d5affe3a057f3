// Where in the write-ahead log the session's last write stands: the floor of its later reads.
#pragma once

#include "protocol/framer.hpp"
#include "proxy/session/session.hpp"

namespace postern::proxy {

/// The execution is about to be sent to the primary: from now on a position is owed, where it may
/// write. Reads stay on the primary until one was captured.
void note_writes(Session* session, const Execution& execution);

/// Pipelines the question for the position behind a commit, where one is owed.
Status ask_position(Session* session);

/// A reply to it. A failure leaves the position owed.
Status on_position_reply(Session* session, ServerLink* link, const protocol::Frame& frame);

}  // namespace postern::proxy
