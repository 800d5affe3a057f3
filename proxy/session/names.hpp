// What the client's names of statements mean. What was sent is taken to succeed, so that nobody
// waits for the server; what it answers is what counts: a statement or its end that failed, or that
// was skipped behind an error, leaves a name as it was.
#pragma once

#include <memory>
#include <string>

#include "proxy/session/session.hpp"

namespace postern::proxy {

/// The client's statement of this name, if all that was sent succeeds; null where Postern saw none.
std::shared_ptr<PreparedStatement> find_statement(Session* session, ByteView name);

/// A Parse of the client's is being sent: its name means this from here on.
void expect_statement(Session* session, const std::shared_ptr<PreparedStatement>& statement);

/// A message is being sent that ends the name: what its unit has to carry; null where the name
/// means nothing anyway.
std::shared_ptr<PreparedStatement> expect_end(Session* session, ByteView name);

/// The same of the unnamed statement, which the server drops at the beginning of every Query,
/// whatever becomes of it. Its ReadyForQuery was counted.
std::shared_ptr<PreparedStatement> expect_unnamed_end(Session* session, ServerLink* link);

/// A statement was decided anew: its name means the renewed one, once the server confirmed the old.
void replace_statement(Session* session, const std::shared_ptr<PreparedStatement>& old,
                       const std::shared_ptr<PreparedStatement>& renewed);

/// The server took a Parse of the client's, or failed or skipped it.
void settle_statement(Session* session, const std::shared_ptr<PreparedStatement>& statement,
                      bool success);

/// Likewise what expect_end() returned.
void settle_end(Session* session, const std::shared_ptr<PreparedStatement>& end, bool success);

/// The server forgot a statement (DEALLOCATE). What was sent under its name since, stays.
void forget_statement(Session* session, ServerLink* link, const PreparedStatement& statement);
/// It forgot all that have names.
void forget_statements(Session* session, ServerLink* link);

/// Transaction pooling: a text with this scan is about to run.
void expect_name_changes(Session* session, Execution& execution, const StateScan& scan);

/// What the name means hangs on answers that are still to come: after an error it would be what it
/// was, and what is sent now would run all the same, since a Sync lies between.
bool in_doubt(const Session& session, ByteView name);

/// Likewise what a portal of the name is.
bool in_doubt(const Session& session, const Portal& portal);

/// Sessions that have to know what a name means where it is used: to the others the server's own
/// answer is enough.
bool heeds_names(const Session& session);

/// Waits for these answers.
Task<Status> resolve_names(Session* session);

}  // namespace postern::proxy
