#include "proxy/net/idle_transport.hpp"

#include <utility>

namespace postern::proxy {

IdleTransport::IdleTransport(UnboundTransport unbound) : unbound_(std::move(unbound)) {}

IdleTransport::IdleTransport(Worker* home, Transport transport)
    : home_(home), bound_(std::move(transport)) {}

IdleTransport::IdleTransport(IdleTransport&& other) noexcept
    : home_(std::exchange(other.home_, nullptr)),
      bound_(std::move(other.bound_)),
      unbound_(std::move(other.unbound_)) {
  other.bound_.reset();
}

IdleTransport& IdleTransport::operator=(IdleTransport&& other) noexcept {
  if (this == &other) return *this;
  leave();
  home_ = std::exchange(other.home_, nullptr);
  if (other.bound_) bound_.emplace(std::move(*other.bound_));
  other.bound_.reset();
  unbound_ = std::move(other.unbound_);
  return *this;
}

IdleTransport::~IdleTransport() {
  leave();
}

void IdleTransport::leave() {
  if (home_ != nullptr && bound_) {
    home_->post([transport = std::move(*bound_)]() mutable { transport.close(); });
  }
  home_ = nullptr;
  bound_.reset();
}

bool IdleTransport::encrypted() const {
  return bound_ ? bound_->tls() != nullptr : unbound_.tls != nullptr;
}

IdleState IdleTransport::peek() const {
  return bound_ ? bound_->peek() : unbound_.peek();
}

IdleState IdleTransport::glance(const Worker* worker) {
  return bound_ && home_ == worker ? bound_->glance() : peek();
}

Result<Transport> IdleTransport::take(Worker* worker) {
  if (!bound_) return Transport::adopt(worker->executor(), std::move(unbound_));
  Transport transport = std::move(*bound_);
  bound_.reset();
  Worker* home = std::exchange(home_, nullptr);
  if (home == worker) return transport;
  // Its registration belongs to the other worker's thread, which takes it down in its own time.
  UnboundTransport unbound = transport.leave_shell();
  home->post([shell = std::move(transport)]() mutable { (void)shell.release(); });
  return Transport::adopt(worker->executor(), std::move(unbound));
}

}  // namespace postern::proxy
