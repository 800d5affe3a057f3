// Step 9 of a query's path: descriptions checked and retyped, values decrypted row by row.
#pragma once

#include <vector>

#include "protocol/rows.hpp"
#include "proxy/session/session.hpp"

namespace postern::proxy {

/// Checks a RowDescription of statement `index` against its decision, column by column, and appends
/// what the client is told to `out` where that differs. False: the server's own message is right as
/// it is. kColumnCheckFailed where a protected column comes out that the decision does not know, or
/// where a decided one is not what it should be: nothing of the result may be shown then.
Result<bool> describe_rows(const AnalysedText& analysed, std::size_t index, ByteView body,
                           Bytes& out);

/// Appends a ParameterDescription as the client declared or may assume it: logical types in place
/// of stored ones, hidden parameters left out. False: the server's own message is right.
Result<bool> describe_parameters(const PreparedStatement& statement, ByteView body, Bytes& out);

/// Appends the row with every operation of `execution.outputs` applied. Errors: the cipher's, and
/// kNotAContainer where a stored value is not a container at all.
Status decrypt_row(Session* session, const Execution& execution, ByteView body, Bytes& out);

}  // namespace postern::proxy
