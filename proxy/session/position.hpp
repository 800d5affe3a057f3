// Where in the write-ahead log the session's last write stands.
#pragma once

#include "protocol/framer.hpp"
#include "proxy/session/session.hpp"

namespace postern::proxy {

/// A reply to the position query behind a commit.
Status on_position_reply(Session* session, ServerLink* link, const protocol::Frame& frame);

}  // namespace postern::proxy
