// The path of a query. A security reviewer reads query_path.cpp first.
#pragma once

#include "protocol/framer.hpp"
#include "proxy/session/session.hpp"

namespace postern::proxy {

/// One Query message. Errors end the session.
Prompt<Status> run_query(Session* session, ByteView text);

/// The extended messages collected so far. `last`: what ended the batch (Sync, or Flush; Execute
/// where it grew too long to wait). Errors end the session.
Task<Status> run_batch(Session* session, protocol::FrontendType last);

}  // namespace postern::proxy
