#include "proxy/session/vanished.hpp"

#include "proxy/session/replication.hpp"

namespace postern::proxy {
namespace {

constexpr std::chrono::milliseconds kLook{500};
/// Clients are many and have more patience: only every so many looks.
constexpr unsigned kLooksPerClient = 20;

void close_if_vanished(Transport& transport, Silence& silence, std::chrono::milliseconds patience,
                       SteadyClock::time_point now) {
  if (!transport.is_open()) return;
  if (silence.observe(transport.acknowledgement(), now) >= patience) transport.close();
}

void look_at_servers(Session& session, SteadyClock::time_point now) {
  if (session.database == nullptr) return;
  const auto patience = session.database->cluster().options().unacknowledged_timeout;
  for (ServerLink* link : {session.primary.get(), session.replica.get()}) {
    if (link == nullptr) continue;
    if (link->queue().empty()) {
      link->silence = {};  // who owes no answer owes no acknowledgement either
    } else {
      close_if_vanished(link->transport(), link->silence, patience, now);
    }
  }
  if (ReplicationLink* link = session.replication.get()) {
    close_if_vanished(link->server, link->silence, patience, now);
  }
}

}  // namespace

Task<void> watch_hosts(WorkerContext* context) {
  Timer timer(context->worker->executor());
  for (unsigned look = 1;; ++look) {
    timer.expires_after(kLook);
    auto waiting = timer.async_wait(kAwait);
    co_await std::move(waiting);
    const auto now = SteadyClock::now();
    for (Session* session : context->sessions) {
      look_at_servers(*session, now);
      const bool client_too = look % kLooksPerClient == 0 && session->primary != nullptr;
      if (!client_too) continue;
      close_if_vanished(session->client, session->primary->client_silence, kKeepAlivePatience, now);
    }
  }
}

}  // namespace postern::proxy
