// A thread for work that blocks, begun when first needed.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace postern::proxy {

/// Runs jobs one after the other, away from the workers. Thread-safe, except stop().
class JobThread {
 public:
  JobThread() = default;
  JobThread(const JobThread&) = delete;
  JobThread& operator=(const JobThread&) = delete;
  /// Stops.
  ~JobThread() { stop(); }

  /// Dropped where the thread was stopped. Jobs do not throw.
  void run(std::function<void()> job);
  /// Waits for the job under way; those still queued are dropped. Not from within a job.
  void stop();

 private:
  void loop();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> jobs_;
  bool stopped_ = false;
  std::thread thread_;
};

}  // namespace postern::proxy
