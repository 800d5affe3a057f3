// Following what statements change in the session: settings, prepared statements, search_path.
#pragma once

#include "protocol/framer.hpp"
#include "proxy/session/session.hpp"

namespace postern::proxy {

/// The current statement of an execution succeeded.
void track_success(Session* session, ServerLink* link, const Execution& execution);

/// After it names of statements and portals may stand for something else, or nothing.
bool alters_names(const sql::Statement& statement);

/// An ErrorResponse went to the client for this unit.
void on_failed_statement(Session* session, ServerLink* link, const Unit& unit);

/// A setting was reported. kSettingRefused where a protected database can no longer be guarded
/// under it (client_encoding, standard_conforming_strings).
Status on_parameter(Session* session, ServerLink* link, ByteView name, ByteView value);

/// The search_path in force, as the server words it.
void take_search_path(Session* session, std::string_view text);

/// A reply to the question for the search_path.
Status on_search_path_reply(Session* session, const protocol::Frame& frame);

/// CommandComplete with this tag: DISCARD ALL and DEALLOCATE ALL are recognised in every text.
void on_command_tag(Session* session, ServerLink* link, ByteView tag);

/// ReadyForQuery goes to the client.
void on_ready(Session* session, ServerLink* link, ByteView status);

/// Goes on to the next statement of a Query.
void next_statement(Execution& execution);

}  // namespace postern::proxy
