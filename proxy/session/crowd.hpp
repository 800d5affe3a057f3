// Too many clients: who is let in, who is told, who is closed without a word.
#pragma once

#include "protocol/client_login.hpp"
#include "proxy/session/session.hpp"

namespace postern::proxy {

/// More connections than limits.max_logins have not logged in: this one has little time to say what
/// it wants. A cancel request is served, others are told.
bool is_crowded_out(const Session& session);
/// More than twice as many: nothing is read from this one.
bool is_flooded(const Session& session);
constexpr std::chrono::seconds kCrowdedTime{1};

/// What a client wants is known, not yet whether it is who it says: kTooManyLogins,
/// kTooManyClients.
Status check_crowd(const Session& session, const protocol::LoginRequest& request);
/// It proved itself, and counts from here on: kTooManyClients. A few more places are kept for the
/// console's users.
Status take_place(Session* session, const protocol::LoginRequest& request);

/// An error of those above.
bool is_crowd(const Error& error);
/// Counts the refusal; one line a second tells of them.
void note_crowd(Session* session, const Error& error);

/// The client asks for the console, and there is one.
bool asks_for_console(const Session& session, const protocol::LoginRequest& request);

}  // namespace postern::proxy
