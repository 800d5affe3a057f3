// A query of Postern's own on a connection that serves nobody else at the moment.
#pragma once

#include <string>

#include "base/result.hpp"
#include "proxy/catalog/rows.hpp"
#include "proxy/net/codec_buffer.hpp"
#include "proxy/net/transport.hpp"

namespace postern::proxy {

/// Most bytes of one server message accepted in an answer.
inline constexpr std::size_t kMaxPlainMessage = 64u << 20;

/// Sends `text` as a simple Query and reads to ReadyForQuery: the rows of all its statements, one
/// behind the other. Nothing else may be under way. Errors: kUpstreamQuery with the server's
/// SQLSTATE and message, kUpstreamLost, kServerProtocol; after the latter two the connection is
/// unusable.
Task<Result<Rows>> plain_query(Transport* transport, ReadBuffer* input, std::string text);
/// The same with one text parameter, $1, by the extended protocol.
Task<Result<Rows>> plain_query(Transport* transport, ReadBuffer* input, std::string text,
                               std::string parameter);

}  // namespace postern::proxy
