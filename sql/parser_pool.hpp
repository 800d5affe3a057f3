// Threads on which statement text is analysed: libpg_query keeps state per thread (at most 1,024
// threads per process may ever call it) and needs deep stacks.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <pthread.h>
#include <vector>

#include "base/result.hpp"

namespace postern::sql {

struct ParserPoolOptions {
  std::size_t threads = 2;
  std::size_t stack_bytes = 64 * 1024 * 1024;  ///< virtual memory; only touched pages are used
  std::size_t queue = 1024;                    ///< jobs waiting, beyond which submit refuses
};

/// A fixed set of threads and a bounded queue. Thread-safe.
class ParserPool {
 public:
  using Job = std::function<void()>;

  ParserPool() = default;
  ParserPool(const ParserPool&) = delete;
  ParserPool& operator=(const ParserPool&) = delete;
  /// Runs the jobs still waiting, then ends the threads.
  ~ParserPool();

  /// Once, before the first submit. kAnalysisUnavailable (PST-1401) where no thread can be made.
  Status start(const ParserPoolOptions& options);

  /// Queues a job; it runs on one of the pool's threads and must not throw. Whoever submits takes
  /// care that what the job refers to outlives it and carries its result back to the right thread.
  /// kAnalysisBusy (PST-1402) when the queue is full.
  Status submit(Job job);

  [[nodiscard]] std::size_t waiting() const;

 private:
  static void* enter(void* self);
  void run();

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> jobs_;
  std::size_t queue_limit_ = 0;
  bool stopping_ = false;
  std::vector<pthread_t> threads_;
};

}  // namespace postern::sql
