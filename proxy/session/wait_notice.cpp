#include "proxy/session/wait_notice.hpp"

#include <utility>

#include "protocol/error_message.hpp"
#include "proxy/session/session.hpp"

namespace postern::proxy {
namespace {

Task<void> flush_notice(SessionPtr session) {
  (void)co_await session->out.flush();
}

}  // namespace

void tell_waiting(void* owner) {
  auto* session = static_cast<Session*>(owner);
  if (session->primary != nullptr) return;
  protocol::append_notice(session->out.pending().own(), "NOTICE", "00000",
                          "no server connection is free yet, the session waits for one");
  session->worker()->spawn(flush_notice(session->shared_from_this()));
}

}  // namespace postern::proxy
