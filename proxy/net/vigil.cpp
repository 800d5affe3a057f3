#include "proxy/net/vigil.hpp"

namespace postern::proxy {
namespace {

constexpr int kLooks = 4;  // within the time of patience

}  // namespace

std::chrono::milliseconds Silence::observe(const Acknowledgement& seen, Time now) {
  if (!seen.outstanding) {
    since_.reset();
    return std::chrono::milliseconds(0);
  }
  // What was answered last may lie long before what is outstanding: no measure of the silence.
  if (!since_ || now - seen.heard > *since_) since_ = now;
  return std::chrono::duration_cast<std::chrono::milliseconds>(now - *since_);
}

Vigil::Vigil(DeadlineList* list, Transport* transport, std::chrono::milliseconds patience)
    : deadline_(list, &Vigil::look, this), transport_(transport), patience_(patience) {
  deadline_.arm(Silence::Time::clock::now() + patience_ / kLooks);
}

void Vigil::look(void* self) {
  Vigil& vigil = *static_cast<Vigil*>(self);
  if (!vigil.transport_->is_open()) return;
  const Silence::Time now = Silence::Time::clock::now();
  if (vigil.silence_.observe(vigil.transport_->acknowledgement(), now) >= vigil.patience_) {
    vigil.transport_->close();
    return;
  }
  vigil.deadline_.arm(now + vigil.patience_ / kLooks);
}

}  // namespace postern::proxy
