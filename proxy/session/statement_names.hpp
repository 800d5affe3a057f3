// Names of prepared statements on the server under transaction pooling.
#pragma once

#include "proxy/session/session.hpp"

namespace postern::proxy {

/// Fills in `id` and `server_name`. Session pooling: the client's own name, an id unique in the
/// session. Transaction pooling: a name derived from what the statement is (text, parameter types,
/// and the settings it is planned under), so that clients share it; it is keyed with a secret of
/// the process, so that nobody can prepare something else under it. The unnamed statement stays so.
void name_statement(Session* session, PreparedStatement* statement);

}  // namespace postern::proxy
