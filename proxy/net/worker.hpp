// A worker: one thread, one io_context, and what its sessions share.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/post.hpp>

#include "proxy/net/asio.hpp"
#include "proxy/net/codec_buffer.hpp"
#include "proxy/net/deadline.hpp"

namespace postern::proxy {

/// Counts one session on a worker for as long as it lives. Move-only, any thread; the worker must
/// outlive it.
class LoadTicket {
 public:
  LoadTicket() = default;
  explicit LoadTicket(std::atomic<std::uint32_t>* load) : load_(load) { ++*load_; }
  LoadTicket(LoadTicket&& other) noexcept : load_(std::exchange(other.load_, nullptr)) {}
  LoadTicket& operator=(LoadTicket&& other) noexcept {
    if (this != &other) {
      drop();
      load_ = std::exchange(other.load_, nullptr);
    }
    return *this;
  }
  ~LoadTicket() { drop(); }

 private:
  void drop() {
    if (load_ != nullptr) --*std::exchange(load_, nullptr);
  }
  std::atomic<std::uint32_t>* load_ = nullptr;
};

struct WorkerOptions {
  std::string name = "worker";  ///< thread name, at most 15 bytes are shown
  /// Called on the worker's thread with the text of an exception that escaped a handler or a
  /// spawned coroutine (a defect, or memory exhausted); the session it belonged to is gone.
  std::function<void(const std::string&)> on_failure;
};

/// One thread running one io_context(1). Sessions are pinned to a worker: everything reached from
/// here is used on its thread only, except post, stop, load and enter.
class Worker {
 public:
  /// Distance of two sweeps over the deadlines.
  static constexpr std::chrono::milliseconds kTick{100};

  explicit Worker(WorkerOptions options);
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  /// Stops, joins and destroys what was still pending.
  ~Worker();

  /// Starts the thread; it blocks all signals.
  void start();
  /// Ends the event loop after the handler it runs; sessions still alive are destroyed by
  /// destroy_sessions. Any thread.
  void stop();
  void join();
  /// After join: destroys all suspended coroutines and pending handlers. What they post is
  /// destroyed unrun. Any thread.
  void destroy_sessions();

  /// Runs `fn` (may be move-only) on this worker. Any thread; never runs inline.
  template <typename F>
  void post(F fn) {
    asio::post(io_, std::move(fn));
  }
  /// Starts a coroutine here and lets it run by itself. Any thread.
  void spawn(Task<void> task);

  [[nodiscard]] Executor executor() { return io_.get_executor(); }
  [[nodiscard]] DeadlineList* deadlines() { return &deadlines_; }
  [[nodiscard]] BufferPool* buffers() { return &buffers_; }

  /// Sessions at the moment. Any thread.
  [[nodiscard]] std::uint32_t load() const { return load_.load(std::memory_order_relaxed); }
  [[nodiscard]] LoadTicket enter() { return LoadTicket(&load_); }

 private:
  struct Context : asio::io_context {
    // Sockets are used by the worker's thread alone; posting and timers stay open to all.
    Context() : asio::io_context(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO) {}
    using asio::execution_context::shutdown;
  };
  static void start_ticking(void* self);
  void tick();
  void run();

  WorkerOptions options_;
  std::atomic<std::uint32_t> load_{0};
  BufferPool buffers_;
  DeadlineList deadlines_;
  Context io_;  // destroys sessions, which use the members above
  asio::executor_work_guard<Executor> work_;
  Timer timer_;
  bool ticking_ = false;
  std::thread thread_;
};

/// A fixed set of workers.
class WorkerGroup {
 public:
  /// `count` ≥ 1 workers, named options.name-0 and so on; not started yet.
  WorkerGroup(std::size_t count, const WorkerOptions& options);
  /// Stops and joins all, then destroys the sessions of all before any worker goes, since sessions
  /// may post to other workers when they end.
  ~WorkerGroup();

  void start();
  void stop();
  void join();

  [[nodiscard]] std::size_t size() const { return workers_.size(); }
  [[nodiscard]] Worker& at(std::size_t i) { return *workers_.at(i); }
  /// The worker with the fewest sessions, taking turns among equals. Any thread.
  [[nodiscard]] Worker& least_loaded();

 private:
  std::vector<std::unique_ptr<Worker>> workers_;
  std::atomic<std::size_t> turn_{0};
};

}  // namespace postern::proxy
