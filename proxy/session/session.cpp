#include "proxy/session/session.hpp"

#include <utility>

#include "base/bytes.hpp"
#include "crypto/init.hpp"
#include "proxy/session/clock.hpp"
#include "proxy/session/copy_insert.hpp"
#include "proxy/session/replication.hpp"

namespace postern::proxy {
namespace {

void close_client(void* owner) {
  static_cast<Session*>(owner)->client.close();
}

std::uint32_t message_limit(const config::Config& config) {
  return static_cast<std::uint32_t>(
      std::min<std::uint64_t>(config.limits.message_bytes.bytes, protocol::kMaxLargeLength));
}

bool gives_up_login(Session& session) {
  if (!session.runtime().stopping) return false;
  return !session.config().listen.so_reuseport ||
         SteadyClock::now() - session.quiet_since > kPatience;
}

}  // namespace

Session::Session(WorkerContext* worker_context, Transport transport, LoadTicket ticket)
    : context(worker_context),
      load(std::move(ticket)),
      client(std::move(transport)),
      input(worker_context->worker->buffers(), message_limit(config()) + 1u),
      out(&client, worker_context->worker->executor()),
      framer(protocol::Direction::kFromFrontend, protocol::Phase::kReady),
      deadline(worker_context->worker->deadlines(), close_client, this),
      watch(worker_context->worker->deadlines(), on_time_limit, this),
      id(runtime().next_session.fetch_add(1)),
      audit_id(to_hex(crypto::random_bytes(8))) {
  runtime().metrics.clients.add(1);
  context->sessions.insert(this);
}

Session::~Session() {
  if (cancel_id != 0) runtime().cancels.remove(cancel_id);
  context->sessions.erase(this);
  if (admitted) runtime().admitted.fetch_sub(1);
  runtime().metrics.clients.add(-1);
}

void look_up(Session* session) {
  session->woken = true;
  if (session->serving || gives_up_login(*session)) session->client.interrupt();
}

void wake_sessions(WorkerContext* context) {
  context->worker->post([context] {
    for (Session* session : context->sessions) look_up(session);
  });
}

}  // namespace postern::proxy
