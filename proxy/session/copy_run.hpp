// COPY FROM STDIN into a table under row security, carried out as INSERTs of the same transaction.
#pragma once

#include "proxy/session/copy_insert.hpp"
#include "proxy/session/session.hpp"

namespace postern::proxy {

/// The decision wants it so.
bool copies_as_insert(const AnalysedText& analysed);

/// True: begin_copy() is due. Waits for what is under way on the primary. Errors end the session.
Task<Result<bool>> copy_may_begin(Session* session, const AnalysedText* analysed);

/// Opens the COPY on the primary, where nothing is under way: the client is asked for its data, or
/// hears why not. Errors end the session.
Task<Status> begin_copy(Session* session, std::shared_ptr<Execution> execution);

/// The client's CopyData, CopyDone and CopyFail are this COPY's.
bool takes_copy(const Session& session);
Task<Status> take_copy(Session* session, const protocol::Frame* frame);

/// The message that goes to the client for an answer of the server's.
protocol::Frame shown_frame(Session* session, ServerLink* link, const Unit& unit,
                            const protocol::Frame& frame);

}  // namespace postern::proxy
