#include "proxy/net/deadline.hpp"

namespace postern::proxy {

std::size_t DeadlineList::sweep(Time now) {
  std::size_t expired = 0;
  for (Deadline* d = first_; d != nullptr; d = next_) {
    next_ = d->next_;
    if (d->when_ > now) continue;
    d->disarm();
    d->expired_ = true;
    ++expired;
    d->expire_(d->owner_);  // may destroy d and any other
  }
  next_ = nullptr;
  return expired;
}

void Deadline::arm(Time when) {
  when_ = when;
  expired_ = false;
  if (armed_) return;
  armed_ = true;
  prev_ = nullptr;
  next_ = list_->first_;
  if (next_ != nullptr) next_->prev_ = this;
  list_->first_ = this;
  if (list_->armed_++ == 0 && list_->notify_ != nullptr) list_->notify_(list_->context_);
}

void Deadline::disarm() {
  if (!armed_) return;
  armed_ = false;
  if (list_->next_ == this) list_->next_ = next_;
  (prev_ != nullptr ? prev_->next_ : list_->first_) = next_;
  if (next_ != nullptr) next_->prev_ = prev_;
  --list_->armed_;
}

}  // namespace postern::proxy
