// The messages of an extended batch, one by one, on their way to the primary.
#pragma once

#include <optional>

#include "proxy/session/refuse.hpp"
#include "proxy/session/session.hpp"

namespace postern::proxy {

/// What became of one message.
struct ItemResult {
  std::optional<Error> refusal;       ///< set: not sent, the batch ends here with this error
  Recorded recorded = Recorded::kNo;  ///< whether the access log has the refusal
};

/// Steps 2 to 8 for one message of a batch. Errors end the session.
Prompt<Result<ItemResult>> run_item(Session* session, const BatchItem* item);

/// The batch's Sync: sent on, or answered here where the batch never reached the server.
Prompt<Status> end_batch(Session* session);

/// The client's Flush, so that the server sends what it has.
Status send_flush(Session* session);

/// Makes the statement of a Parse message: analysed, decided, its literals hidden. A refusal is in
/// the analysed decision. Errors: kNotEncodable and others that refuse the message.
Task<Result<std::shared_ptr<PreparedStatement>>> prepare(Session* session, ByteView body);

}  // namespace postern::proxy
