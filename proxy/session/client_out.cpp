#include "proxy/session/client_out.hpp"

#include <span>
#include <utility>

#include "base/codes/net.hpp"

namespace postern::proxy {

Prompt<Status> ClientOut::flush() {
  if (busy_) return flush_in_turn();
  if (failure_) return Status(*failure_);
  if (pending_.empty()) return ok();
  busy_ = true;
  swap(pending_, in_flight_);
  Prompt<Status> writing = transport_->write(in_flight_.views());
  if (Status* status = writing.result()) return ended(std::move(*status));
  return end_later(std::move(writing));
}

Task<void> ClientOut::await_turn() {
  while (busy_) {
    Event idle(executor_);
    waiting_.push_back(&idle);
    co_await idle.wait();
  }
}

Task<Status> ClientOut::flush_in_turn() {
  co_await await_turn();
  co_return co_await flush();
}

Task<Status> ClientOut::end_later(Prompt<Status> writing) {
  Status status = co_await std::move(writing);
  co_return ended(std::move(status));
}

Status ClientOut::ended(Status status) {
  if (status) {
    written_ += in_flight_.total();
  } else {
    failure_ = status.error();
  }
  in_flight_.clear();
  end_turn();
  return status;
}

// Everybody looks again: who has nothing left finds its bytes gone, and one of the others writes.
void ClientOut::end_turn() {
  busy_ = false;
  if (waiting_.empty()) return;
  for (Event* waiter : std::exchange(waiting_, {})) waiter->set();
}

Task<Status> ClientOut::finish() {
  co_await await_turn();
  if (failure_) co_return *failure_;
  busy_ = true;
  Status status = co_await transport_->finish();
  failure_ = status ? make_error(pst::kTransportClosed) : status.error();
  end_turn();
  co_return status;
}

}  // namespace postern::proxy
