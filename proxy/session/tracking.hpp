// Following what statements change in the session: settings, prepared statements, search_path.
#pragma once

#include "proxy/session/session.hpp"

namespace postern::proxy {

/// The current statement of an execution succeeded.
void track_success(Session* session, ServerLink* link, const Execution& execution);

/// An ErrorResponse went to the client for this unit.
void on_failed_statement(Session* session, ServerLink* link, const Unit& unit);

/// A setting was reported. kSettingRefused where a protected database can no longer be guarded
/// under it (client_encoding, standard_conforming_strings).
Status on_parameter(Session* session, ServerLink* link, ByteView name, ByteView value);

/// Goes on to the next statement of a Query.
void next_statement(Execution& execution);

}  // namespace postern::proxy
