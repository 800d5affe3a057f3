#include "proxy/net/event.hpp"

#include <utility>

namespace postern::proxy {

void Event::set() {
  set_ = true;
  if (waiting_) timer_->cancel();
}

Task<void> Event::wait() {
  while (!set_) {
    waiting_ = true;
    if (timer_ == nullptr) timer_ = std::make_unique<Timer>(executor_, Timer::time_point::max());
    auto operation = timer_->async_wait(kAwait);
    co_await std::move(operation);
    waiting_ = false;
  }
  set_ = false;
}

}  // namespace postern::proxy
