// Transaction pooling: a session's state on the server connection it is about to use, and the
// moment at which a connection may go to somebody else. Under session pooling all of this does
// nothing.
#pragma once

#include "proxy/session/session.hpp"

namespace postern::proxy {

/// On a connection just taken: the search_path is known; where the connection has other settings
/// than the session wants, they are set in front of what comes next, without a round trip; too many
/// prepared statements are thinned out.
Status take_state_along(Session* session, ServerLink* link);

/// A time limit among what was set on a connection is so short that the next client's settings,
/// which are made while it is in force, could fail by it.
bool is_hasty(const Settings& applied);

/// A pooled session's welcome needs no server where it is known what one would say: true, and
/// session->reported and the search_path are set.
bool welcome_from_memory(Session* session);
/// A server has just said it: the next client with the same settings needs none.
void remember_welcome(Session* session);

/// Such a text is about to be sent under transaction pooling: the server is asked afterwards what
/// it left behind, and the tenant's context is set anew before the next transaction.
void note_unseen_code(Session* session, ServerLink* link);

/// On a connection kept: settings that a RESET left other than a fresh session would have them.
Status renew_state(Session* session, ServerLink* link);

/// The reply to setting them. kStateNotApplied with the server's reason.
Status on_settings_reply(const protocol::Frame& frame);
/// All of it arrived: the client hears of reported parameters that differ from what it was told.
Status on_settings_done(Session* session, ServerLink* link);

/// The server answered what the session left behind.
void on_state_done(Session* session, ServerLink* link);

/// The client waits, nothing is open or under way, and this is not the connection it is pinned to:
/// the primary may go, or has to be asked first.
bool may_let_go(const Session& session);

/// Under may_let_go(): asks the server what the session left behind. False: there is no need.
Result<bool> ask_state(Session* session, ServerLink* link);

/// Gives what was the primary, with no cancel request under way to it, to the next taker.
void let_go(Session* session, std::unique_ptr<ServerLink> link);

/// The client's coroutine is about to wait: the primary's is told to look whether it may go.
void offer_primary(Session* session);

}  // namespace postern::proxy
