// What becomes of a server message that is the client's.
#pragma once

#include <optional>

#include "protocol/framer.hpp"
#include "proxy/session/passing.hpp"
#include "proxy/session/session.hpp"

namespace postern::proxy {

/// Rows of this unit are changed, or collected for the cache: they cannot be streamed in parts.
bool needs_whole(const Session& session, const Unit& unit);

/// Counts a message that is passed through in parts.
void count_streamed(Unit& unit, protocol::BackendType type, std::size_t size);

/// Gates of the access log and the cache: whether this message has to wait, and for what. Called
/// again for the same message after the wait, then lets it pass.
Result<std::optional<Pause>> hold_back(Session* session, ServerLink* link, Unit& unit,
                                       const protocol::Frame& frame);

/// Transforms and adds the message to session->out. Errors end the session.
Status forward(Session* session, ServerLink* link, Unit& unit, const protocol::Frame& frame);

/// An ErrorResponse as the client is to see it: a refusal of ours in its place, its position and
/// the statement it names led back to what the client sent.
Status forward_error(Session* session, Unit& unit, const protocol::Frame& frame);

/// Notice, ParameterStatus, Notification: at any time, to whoever holds the connection.
Status on_asynchronous(Session* session, ServerLink* link, const protocol::Frame& frame);

/// The server ends the connection in its own words, which the client hears.
Status on_server_closing(Session* session, ServerLink* link, const protocol::Frame& frame);

}  // namespace postern::proxy
