// One server message: matched with its request, transformed, counted, passed on or dropped.
#pragma once

#include <optional>

#include "protocol/framer.hpp"
#include "proxy/session/session.hpp"

namespace postern::proxy {

/// Why passing stopped before the end of the buffer.
struct Pause {
  enum class Kind : std::uint8_t {
    kNeedInput,  ///< a message is incomplete: `bytes` unread ones are needed
    kAudit,      ///< the next message waits until record `index` of the log is durable
    kAuditRoom,  ///< the next message waits until the log has room for its outcome
    kPublish,    ///< the next message waits until the writes before it are published
  };
  Kind kind = Kind::kNeedInput;
  std::size_t bytes = 0;
  std::uint64_t index = 0;  ///< kAudit: the record; kPublish: number of the ReadyForQuery
};

/// Handles every complete message in the link's buffer, in order, adding to session->out. What was
/// handled is consumed, but stays valid until the buffer is next reserved: flush before that.
/// Errors end the session: kServerProtocol, kColumnCheckFailed, decryption failures, kUpstreamLost
/// after the server announced its end. The client has been told then (in session->out).
Result<Pause> pass_replies(Session* session, ServerLink* link);

/// Concludes what is finished at the head of the queue, and emits replies that are made here.
Status take_completions(Session* session, ServerLink* link);

}  // namespace postern::proxy
