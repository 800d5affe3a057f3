#include "proxy/runtime/audit_gate.hpp"

namespace postern::proxy {

void AuditWaiters::connect(audit::Log* log, Worker* worker) {
  log_ = log;
  waker_ = log->add_waker([this, worker] { worker->post([this] { wake(); }); });
}

void AuditWaiters::disconnect() {
  if (log_ != nullptr) log_->remove_waker(waker_);
  log_ = nullptr;
}

void AuditWaiters::wake() {
  for (Event* event : events_) event->set();
}

}  // namespace postern::proxy
