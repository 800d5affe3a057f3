#include "proxy/net/second_look.hpp"

#include <utility>

namespace postern::proxy {

asio::execution_context::id SecondLook::id;

SecondLook::SecondLook(asio::execution_context& context)
    : service(context), timer_(static_cast<asio::io_context&>(context).get_executor()) {
  waits_.on_first(&SecondLook::start_ticking, this);
}

void SecondLook::start_ticking(void* self) {
  auto& looks = *static_cast<SecondLook*>(self);
  if (!std::exchange(looks.ticking_, true)) looks.tick();
}

void SecondLook::tick() {
  timer_.expires_after(kDelay);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    waits_.sweep(DeadlineList::Time::max());
    ticking_ = waits_.armed() > 0;
    if (ticking_) tick();
  });
}

}  // namespace postern::proxy
