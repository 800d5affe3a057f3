#include "proxy/session/wait_notice.hpp"

#include <string_view>
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

bool client_left(void* owner) {
  const auto* session = static_cast<Session*>(owner);
  if (!session->client.is_open() || session->cancel_due) return true;
  constexpr std::string_view kTerminate{"X\0\0\0\4", 5};
  return session->client.peer_ended() && !session->input.unread().ends_with(kTerminate);
}

}  // namespace postern::proxy
