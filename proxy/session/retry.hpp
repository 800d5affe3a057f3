// Transaction pooling shares prepared statements between clients, so one of them may meet a plan
// made before a change of schema: "cached plan must not change result type" (0A000). Outside a
// transaction, and before anything of the answer was seen, the group is run again on a statement
// prepared anew, and the client notices nothing.
#pragma once

#include "proxy/session/session.hpp"

namespace postern::proxy {

/// Before a batch that ends with Sync is sent: kept where it is one Describe of a named statement,
/// or its Bind and Execute, outside transactions; a Parse may come first.
void keep_for_retry(Session* session, const BatchItems& items);
/// Its Sync is the ReadyForQuery of this number.
void await_retry(Session* session, std::uint64_t ready_number);

/// An error went to the kept group: true where it is held back for the second attempt.
Result<bool> withhold_error(Session* session, ServerLink* link, const Unit& unit,
                            const protocol::Frame& frame);
/// A server tells the parameters of a statement before it finds its plan outdated: true where they
/// are held back until it has said more.
bool withhold_parameters(Session* session, const Unit& unit, ByteView message);
/// It has, and there is no second attempt.
void release_parameters(Session* session, const Unit& unit);

/// The group's ReadyForQuery: true where it is held back too, and the second attempt is due. Where
/// that is not possible any more the error held back is passed on now.
bool withhold_ready(Session* session, ServerLink* link, const Unit& unit,
                    const protocol::Frame& frame);

/// The second attempt. Its errors reach the client.
Task<Status> run_again(Session* session);

}  // namespace postern::proxy
