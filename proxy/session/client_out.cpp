#include "proxy/session/client_out.hpp"

#include <span>
#include <utility>

namespace postern::proxy {

Task<Status> ClientOut::flush() {
  while (busy_) {
    waiting_ = true;
    co_await idle_.wait();
    waiting_ = false;
  }
  if (pending_.empty()) co_return ok();
  busy_ = true;
  swap(pending_, in_flight_);
  const std::size_t size = in_flight_.total();
  const std::span<const ByteView> views(in_flight_.views());
  Status status = co_await transport_->write(views);
  in_flight_.clear();
  if (status) written_ += size;
  busy_ = false;
  if (waiting_) idle_.set();
  co_return status;
}

}  // namespace postern::proxy
