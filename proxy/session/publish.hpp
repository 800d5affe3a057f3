// The cache's side of writes and of answers under way.
#pragma once

#include "protocol/framer.hpp"
#include "proxy/session/session.hpp"

namespace postern::proxy {

/// The execution may leave a committed write behind: it ends a transaction or stands outside one.
bool may_commit(const Session& session, const Execution& execution);

/// mark_writes() has something to do: there is a cache to keep true.
bool marks_writes(const Session& session);

/// Marks the tables a transaction wrote, or an autocommit execution is about to write, before what
/// commits them is forwarded.
Task<void> mark_writes(Session* session, const Execution* execution);

/// The message is the ReadyForQuery that tells the client of writes not yet published.
bool must_publish(const Session& session, const Unit& unit, const protocol::Frame& frame);

/// Publishes the writes that ended with this ReadyForQuery: versions raised, marks removed.
Task<void> publish_writes(Session* session, std::uint64_t ready_number);

/// An answer on its way to the cache.
void collect_description(Execution& execution, const protocol::Frame& frame);
void collect_row(Execution& execution, const protocol::Frame& frame);
void collect_complete(Session* session, Execution& execution, ByteView tag);
void abandon_fill(Execution& execution);

}  // namespace postern::proxy
