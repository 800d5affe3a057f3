#include "proxy/session/clock.hpp"

#include "proxy/session/copy_run.hpp"

namespace postern::proxy {
namespace {

// Reading the clock costs; most configurations set none of these.
bool limited(const config::LimitsOptions& limits) {
  return limits.query_timeout.count() > 0 || limits.transaction_timeout.count() > 0 ||
         limits.idle_transaction_timeout.count() > 0 || limits.idle_timeout.count() > 0;
}

void wind(Session* session) {
  const auto limit = next_time_limit(session->config().limits, session->moment);
  if (limit) {
    session->watch.arm(limit->when);
  } else {
    session->watch.disarm();
  }
}

}  // namespace

void clock_request(Session* session) {
  if (session->moment.request || !limited(session->config().limits)) return;
  session->moment.request = SteadyClock::now();
  if (!session->moment.transaction) session->moment.transaction = session->moment.request;
  wind(session);
}

void clock_ready(Session* session, bool in_transaction, std::size_t unanswered) {
  if (!limited(session->config().limits)) return;
  const auto now = SteadyClock::now();
  session->moment.request.reset();
  if (unanswered > 0) session->moment.request = now;
  if (!in_transaction) session->moment.transaction.reset();
  if (!in_transaction && unanswered > 0) session->moment.transaction = now;
  if (session->parked && unanswered == 0) session->moment.silent = now;
  wind(session);
}

void clock_parked(Session* session) {
  // A COPY that is carried out here has a transaction open while it waits for the client's data.
  const bool answer_due = session->moment.request.has_value() && !takes_copy(*session);
  if (answer_due || !limited(session->config().limits)) return;
  session->moment.silent = SteadyClock::now();
  wind(session);
}

void clock_resumed(Session* session) {
  if (!session->moment.silent) return;
  session->moment.silent.reset();
  wind(session);
}

void on_time_limit(void* owner) {
  auto* session = static_cast<Session*>(owner);
  const auto limit = next_time_limit(session->config().limits, session->moment);
  if (!limit) return;
  session->timed_out = limit->reason;
  look_up(session);
  // A coroutine that waits for the server instead hears it from there.
  ServerLink* link = session->reading != nullptr ? session->reading : session->primary.get();
  if (!session->parked && link != nullptr) link->transport().close();
}

}  // namespace postern::proxy
