// Step 5 of a query's path: values of protected columns are encrypted before they leave.
#pragma once

#include <vector>

#include "protocol/extended.hpp"
#include "proxy/session/session.hpp"
#include "proxy/session/splice.hpp"

namespace postern::proxy {

/// The replacements that turn a Query's literals of protected columns into sealed ones. Errors:
/// those of types::parse (a value the column does not take) with the literal's position, and the
/// cipher's.
Result<std::vector<Splice>> seal_literals(Session* session, const AnalysedText& analysed);

/// Prepares a Parse: literals of protected columns become hidden trailing parameters, sealed anew
/// at every Bind; declared types of protected parameters become bytea. Fills `server_text`,
/// `server_types` and `hidden` of the statement, whose other members are set.
Status hide_literals(PreparedStatement* statement);

/// Whether a Bind of this statement has to be rewritten.
bool seals_parameters(const PreparedStatement& statement);

/// Appends the Bind with protected parameters sealed and hidden ones added. Errors as
/// seal_literals, without position; kParameterCount where the client binds another number of
/// values than protected parameters refer to.
Status seal_bind(Session* session, const PreparedStatement& statement, const protocol::Bind& bind,
                 Bytes& out);

}  // namespace postern::proxy
