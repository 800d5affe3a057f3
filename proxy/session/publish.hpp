// The cache's side of writes and of answers under way.
#pragma once

#include "protocol/framer.hpp"
#include "proxy/session/session.hpp"

namespace postern::proxy {

/// Marks the tables an execution may write before it is forwarded.
Task<void> mark_writes(Session* session, const Execution* execution);

/// The message is one that tells the client of a write that is not yet published.
bool must_publish(const Session& session, const Execution& execution,
                  const protocol::Frame& frame);

/// Publishes the session's committed writes: versions raised, marks removed.
Task<void> publish_writes(Session* session);

/// An answer on its way to the cache.
void collect_description(Execution& execution, const protocol::Frame& frame);
void collect_row(Execution& execution, const protocol::Frame& frame);
void collect_complete(Execution& execution, const protocol::Frame& frame, ByteView tag);

}  // namespace postern::proxy
