// Names of prepared statements on the server under transaction pooling.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/session/session.hpp"

namespace postern::proxy {

/// Fills in `id` and `server_name`. Session pooling: the client's own name, an id unique in the
/// session. Transaction pooling: a name derived from what the statement is (text, parameter types,
/// and the settings it is planned under), so that clients share it; it is keyed with a secret of
/// the process, so that nobody can prepare something else under it. The unnamed statement stays so.
void name_statement(Session* session, PreparedStatement* statement);

/// An id that no other statement of the process has.
std::uint64_t next_own_id(Session* session);

/// The server name stands for other settings than those in force: prepared again now, its constants
/// may be read, and its plan made, as no other client of the name may expect.
bool is_made_differently(const Session& session, const PreparedStatement& statement);

/// A text that is one PREPARE, DEALLOCATE or EXECUTE of a statement prepared by protocol message:
/// where its name stands, and what it means.
struct NamedInText {
  sql::Span span;
  std::shared_ptr<PreparedStatement> statement;
  bool deallocates = false;
};

/// nullopt where the text is something else, or the name is not one of the session's.
std::optional<NamedInText> find_named(Session* session, std::string_view text);

/// Transaction pooling: where the statement's text is such a one, gives it the server's name.
void splice_named(Session* session, PreparedStatement* statement);

/// Such a statement is about to be used: the name in it means what it means by now.
void follow_named(Session* session, std::shared_ptr<PreparedStatement>* statement);

/// What the name in such a text means hangs on answers still to come (in_doubt()).
bool names_in_doubt(const Session& session, std::string_view text);

/// CommandComplete with this tag came for the execution: transaction pooling keeps track of the
/// names that SQL prepares.
void take_named_tag(Session* session, Execution& execution, ByteView tag);

/// An error's message with our name of a statement that the unit is about, or the session has, led
/// back to the client's: in `prepared statement "..."` only.
std::string with_client_names(const Session& session, const Unit& unit, std::string_view message);

}  // namespace postern::proxy
