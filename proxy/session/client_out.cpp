#include "proxy/session/client_out.hpp"

#include <span>
#include <utility>

namespace postern::proxy {

Prompt<Status> ClientOut::flush() {
  if (busy_) return flush_in_turn();
  if (pending_.empty()) return ok();
  busy_ = true;
  swap(pending_, in_flight_);
  Prompt<Status> writing = transport_->write(in_flight_.views());
  if (Status* status = writing.result()) return ended(std::move(*status));
  return end_later(std::move(writing));
}

Task<Status> ClientOut::flush_in_turn() {
  while (busy_) {
    waiting_ = true;
    co_await idle_.wait();
    waiting_ = false;
  }
  co_return co_await flush();
}

Task<Status> ClientOut::end_later(Prompt<Status> writing) {
  Status status = co_await std::move(writing);
  co_return ended(std::move(status));
}

Status ClientOut::ended(Status status) {
  if (status) written_ += in_flight_.total();
  in_flight_.clear();
  busy_ = false;
  if (waiting_) idle_.set();
  return status;
}

}  // namespace postern::proxy
