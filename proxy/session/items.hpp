// One function per message of an extended batch; batch_items.cpp calls them in order.
#pragma once

#include <memory>

#include "proxy/session/batch_items.hpp"
#include "proxy/session/names.hpp"

namespace postern::proxy {

inline ItemResult sent() {
  return {};
}

inline ItemResult refused(Error error, Recorded recorded = Recorded::kNo) {
  return {std::move(error), recorded};
}

inline Unit unit_for(protocol::Request request, Internal internal = Internal::kNone) {
  Unit unit;
  unit.request = request;
  unit.internal = internal;
  return unit;
}

/// A statement just prepared is not one too many for its client, nor too long beside its others:
/// kTooManyStatements.
bool has_room_for_statement(const Session& session, const PreparedStatement& statement);

/// The statement exists on this server connection under its present meaning, or is sent there in
/// front of what needs it, as `internal`. Sent under other settings than it was made under, it is
/// its client's alone there.
Status ensure_prepared(Session* session, ServerLink* link,
                       const std::shared_ptr<PreparedStatement>& statement,
                       Internal internal = Internal::kReparse);

/// Likewise the one that the statement's text names, if any.
Status ensure_named(Session* session, ServerLink* link, const PreparedStatement& statement);

/// Before a message that names a statement Postern did not see made: under transaction pooling the
/// server's unnamed statement may be another client's, and is dropped.
Status bar_foreign(Session* session, ByteView name);

/// Decides a statement again that was prepared under an older policy or catalog.
Task<Result<ItemResult>> refresh(Session* session, std::shared_ptr<PreparedStatement>* statement);

Task<Result<ItemResult>> run_parse(Session* session, const BatchItem* item);
Prompt<Result<ItemResult>> run_bind(Session* session, const BatchItem* item);
Prompt<Result<ItemResult>> run_describe(Session* session, const BatchItem* item);
Prompt<Result<ItemResult>> run_close(Session* session, const BatchItem* item);
Prompt<Result<ItemResult>> run_execute(Session* session, const BatchItem* item);

}  // namespace postern::proxy
