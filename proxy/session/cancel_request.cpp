#include "proxy/session/cancel_request.hpp"

#include <utility>

#include "base/codes/session.hpp"
#include "config/address_range.hpp"
#include "proxy/peers/peers.hpp"
#include "proxy/sinks/log.hpp"

namespace postern::proxy {
namespace {

// Unix sockets have no address: what they may do, their file's permissions say.
bool may_cancel(Session& session) {
  const auto address = config::address_of_peer(session.identity.address);
  Runtime& runtime = session.runtime();
  if (!address || !runtime.wrong_cancels.blocks(*address, SteadyClock::now())) return true;
  if (runtime.wrong_cancels_log.allow(SteadyClock::now())) {
    log_failure("cancel_refused", make_error(pst::kWrongCancelKeys),
                {{"client", session.identity.address}});
  }
  return false;
}

void note_wrong(Session& session) {
  const auto address = config::address_of_peer(session.identity.address);
  if (address) session.runtime().wrong_cancels.note(*address, SteadyClock::now());
}

}  // namespace

Task<void> act_on_cancel(Session* session, protocol::CancelOrder order) {
  if (!may_cancel(*session)) co_return;
  Runtime& runtime = session->runtime();
  const bool known = runtime.cancels.cancel(order.pid, order.key.reveal());
  PeersAnswer answer;
  if (!known && runtime.peers != nullptr) {
    answer = co_await runtime.peers->ask(session->worker(), order.pid, std::move(order.key));
  }
  runtime.metrics.peer_cancels.add(answer.asked);
  // Noted after the peers were asked: what may be guessed side by side, Peers::kMaxOrders bounds.
  if (!known && answer.known_by == 0 && !answer.busy) note_wrong(*session);
  log_info("cancel_request", {{"client", session->identity.address},
                              {"known", known ? 1 : 0},
                              {"peer", answer.known_by},
                              {"asked", answer.asked},
                              {"busy", answer.busy ? 1 : 0}});
}

}  // namespace postern::proxy
