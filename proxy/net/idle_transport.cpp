#include "proxy/net/idle_transport.hpp"

#include <utility>

namespace postern::proxy {

IdleTransport::IdleTransport(UnboundTransport unbound)
    : unbound_(std::make_unique<UnboundTransport>(std::move(unbound))) {}

IdleTransport::IdleTransport(Worker* home, std::unique_ptr<Transport> transport)
    : home_(home), bound_(std::move(transport)) {}

IdleTransport& IdleTransport::operator=(IdleTransport&& other) noexcept {
  if (this == &other) return *this;
  if (bound_ != nullptr) leave();
  home_ = other.home_;
  bound_ = std::move(other.bound_);
  unbound_ = std::move(other.unbound_);
  return *this;
}

void IdleTransport::leave() {
  home_->post([transport = std::move(bound_)] { transport->close(); });
}

bool IdleTransport::encrypted() const {
  if (bound_ != nullptr) return bound_->tls() != nullptr;
  return unbound_ != nullptr && unbound_->tls != nullptr;
}

IdleState IdleTransport::peek() const {
  if (bound_ != nullptr) return bound_->peek();
  return unbound_ != nullptr ? unbound_->peek() : IdleState::kGone;
}

IdleState IdleTransport::glance(const Worker* worker) {
  return home() == worker ? bound_->glance() : peek();
}

Result<std::unique_ptr<Transport>> IdleTransport::take(Worker* worker) {
  if (home() == worker) return std::move(bound_);
  UnboundTransport unbound;
  if (bound_ != nullptr) {
    // Its registration belongs to the other worker's thread, which takes it down in its own time.
    unbound = bound_->leave_shell();
    home_->post([shell = std::move(bound_)] { (void)shell->release(); });
  } else {
    unbound = std::move(*unbound_);
    unbound_.reset();
  }
  POSTERN_ASSIGN(Transport transport, Transport::adopt(worker->executor(), std::move(unbound)));
  return std::make_unique<Transport>(std::move(transport));
}

}  // namespace postern::proxy
