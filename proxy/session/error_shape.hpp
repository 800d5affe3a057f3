// What a tenant hears of the server's errors and notices: nothing that may hold other rows' values
// (research: catalogue 114 to 117). Postern's own codes and hints always reach the client.
#pragma once

#include "protocol/framer.hpp"
#include "proxy/session/session.hpp"

namespace postern::proxy {

/// Notices to a tenant between two ReadyForQuery; further ones are dropped.
inline constexpr std::size_t kMaxNotices = 100;

/// A field that may hold values of rows, or of statements the client did not send.
bool tells_of_rows(char code);

/// The session's messages are shaped: a tenant in force behind a wall, unless its profile's
/// `error_detail` is "full".
bool shapes_messages(const Session& session);

/// Appends the ErrorResponse or NoticeResponse without such fields. kServerProtocol.
Status append_shaped(const protocol::Frame& frame, Bytes& out);

/// Passes a notice on, shaped or whole; a tenant hears of the first kMaxNotices only.
Status pass_notice(Session* session, const protocol::Frame& frame);

/// A line of EXPLAIN as a tenant may see it: without costs and counts, which are made from all
/// tenants' rows. Nothing where the whole line says such things.
std::optional<std::string> shaped_plan_line(std::string_view line);

/// Appends the shaped DataRow of a plan; nothing where its line is left out.
Status append_plan_row(ByteView body, Bytes& out);

}  // namespace postern::proxy
