// Steps 6 and 7 of a query's path: reads that need not go to the primary.
#pragma once

#include "proxy/session/session.hpp"

namespace postern::proxy {

/// The configuration and the session's state allow reads to go elsewhere at all.
bool may_read_elsewhere(const Session& session);

/// The decision and the session's state allow this single read to be answered from the cache or by
/// a replica: proven harmless, outside a transaction, no session state of its own.
bool may_leave_primary(const Session& session, const Execution& execution);

/// Answers a Query from the cache or a replica. False: the primary has to, also where its answer
/// is to be stored: what a replica had replayed would have to be known. Errors end the session.
Task<Result<bool>> serve_query_elsewhere(Session* session, std::shared_ptr<Execution> execution,
                                         const std::vector<Splice>* splices);

/// The same for a batch that is one lone read: [Parse] Bind [Describe] Execute.
Task<Result<bool>> serve_batch_elsewhere(Session* session, const BatchItems* items);

}  // namespace postern::proxy
