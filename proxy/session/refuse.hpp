// A refusal is a server error at its position: the client sees it exactly where PostgreSQL's own
// error would stand, and an open transaction is failed by it.
#pragma once

#include "proxy/session/session.hpp"

namespace postern::proxy {

/// Whether the access log has this refusal already.
enum class Recorded : std::uint8_t { kNo, kYes };

/// Answers a whole Query with an error. Outside of a transaction and with nothing under way that is
/// said here; otherwise an always-failing message takes the statement's place on the server.
Task<Status> refuse_query(Session* session, Error error, Recorded recorded);

/// Answers one message of an extended batch with an error; the rest of the batch is skipped to
/// Sync. `untouched`: nothing of this batch was sent to the server yet. `synced`: the batch's Sync
/// is already here.
Status refuse_in_batch(Session* session, const Error& error, bool untouched, bool synced);

/// Nothing is under way on the server, nothing awaits its Sync, and no transaction is open.
bool server_idle(const Session& session);

}  // namespace postern::proxy
