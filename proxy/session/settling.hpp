// Moments at which nothing may be under way on the primary.
#pragma once

#include "proxy/session/session.hpp"

namespace postern::proxy {

/// Waits until nothing is under way on the primary.
Task<Status> drain_primary(Session* session);

/// settle_settings() has something to do.
bool must_settle(const Session& session);

/// Before a text is analysed: settings that decide its meaning have taken effect and are known.
/// Not within a batch of which something was sent.
Task<Status> settle_settings(Session* session);

/// The same within one: the server is told to answer what it has, and asked in between.
Task<Status> settle_in_batch(Session* session);

/// Pipelines the question for the search_path behind the present message, where code that it runs
/// may change it.
Status ask_path(Session* session);

/// Before a text is analysed: where it would read differently under another client_encoding or
/// standard_conforming_strings, and code of the database is still running that may change them,
/// that code's end is waited for (settle_settings).
void heed_unseen(Session* session, ByteView text);

/// Renews the tenant context where that is due and possible now. Waits for what is under way if it
/// has to.
Prompt<Status> arm_when_due(Session* session);

}  // namespace postern::proxy
