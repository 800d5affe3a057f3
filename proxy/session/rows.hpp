// Step 9 of a query's path: descriptions checked and retyped, values decrypted or hidden row by
// row.
#pragma once

#include <vector>

#include "protocol/rows.hpp"
#include "proxy/session/session.hpp"

namespace postern::proxy {

/// The columns that a statement's rows have are to be checked before a row is shown: protected ones
/// can be among them, or numbers that are hidden.
bool checks_columns(const AnalysedText& analysed, std::size_t index);

/// Checks a RowDescription of statement `index` against its decision, column by column, and appends
/// what the client is told to `out` where that differs. False: the server's own message is right as
/// it is. kColumnCheckFailed where a protected column comes out that the decision does not know, or
/// where a decided one is not what it should be: nothing of the result may be shown then.
Result<bool> describe_rows(const AnalysedText& analysed, std::size_t index, ByteView body,
                           Bytes& out);

/// Appends a ParameterDescription as the client declared or may assume it: logical types in place
/// of stored ones, hidden parameters left out. False: the server's own message is right.
Result<bool> describe_parameters(const PreparedStatement& statement, ByteView body, Bytes& out);

/// Appends the row, values decrypted and numbers of whole tables hidden, with every operation of
/// `execution.outputs` applied. Errors: the cipher's, and kNotAContainer where a stored value is
/// not a container at all.
Status rewrite_row(Session* session, const Execution& execution, ByteView body, Bytes& out);

}  // namespace postern::proxy
