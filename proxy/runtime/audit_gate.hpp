// Waiting for the access log on a worker: one waker a worker, any number of waiting sessions.
#pragma once

#include <functional>
#include <set>

#include "audit/writer.hpp"
#include "proxy/net/event.hpp"
#include "proxy/net/worker.hpp"

namespace postern::proxy {

/// Events of the sessions that wait for the log. One worker's thread, except connect().
class AuditWaiters {
 public:
  AuditWaiters() = default;
  AuditWaiters(const AuditWaiters&) = delete;
  AuditWaiters& operator=(const AuditWaiters&) = delete;
  ~AuditWaiters() { disconnect(); }

  /// Registers one waker with the log; it posts to `worker`, which must outlive the log.
  void connect(audit::Log* log, Worker* worker);
  void disconnect();

  /// Wakes `event` whenever the log advanced, made room or failed, until remove().
  void add(Event* event) { events_.insert(event); }
  void remove(Event* event) { events_.erase(event); }

 private:
  void wake();
  std::set<Event*> events_;
  audit::Log* log_ = nullptr;
  int waker_ = 0;
};

}  // namespace postern::proxy
