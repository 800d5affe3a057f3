#include "proxy/net/worker.hpp"

#include <exception>
#include <pthread.h>
#include <signal.h>

namespace postern::proxy {
namespace {

std::string failure_text(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& e) {
    return e.what();
  } catch (...) {
    return "an exception of unknown type";
  }
}

/// Signals are for the main thread; a thread inherits the mask of its creator.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

}  // namespace

Worker::Worker(WorkerOptions options)
    : options_(std::move(options)), work_(io_.get_executor()), timer_(io_.get_executor()) {
  deadlines_.on_first(&Worker::start_ticking, this);
}

Worker::~Worker() {
  stop();
  join();
  destroy_sessions();
}

void Worker::start() {
  POSTERN_CHECK(!thread_.joinable());
  const SignalsBlocked blocked;
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), options_.name.substr(0, 15).c_str());
}

void Worker::stop() {
  io_.stop();
}

void Worker::join() {
  if (thread_.joinable()) thread_.join();
}

void Worker::destroy_sessions() {
  POSTERN_CHECK(!thread_.joinable());
  deadlines_.on_first(nullptr, nullptr);
  io_.shutdown();
}

void Worker::spawn(Task<void> task) {
  start_task(io_.get_executor(), std::move(task), [this](std::exception_ptr failure) {
    if (failure && options_.on_failure) options_.on_failure(failure_text(failure));
  });
}

void Worker::run() {
  for (;;) {
    try {
      io_.run();
      return;
    } catch (...) {
      // One handler's defect must not end the sessions of all others.
      if (options_.on_failure) options_.on_failure(failure_text(std::current_exception()));
    }
  }
}

void Worker::start_ticking(void* self) {
  auto& worker = *static_cast<Worker*>(self);
  if (!std::exchange(worker.ticking_, true)) worker.tick();
}

void Worker::tick() {
  timer_.expires_after(kTick);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    deadlines_.sweep(SteadyClock::now());
    ticking_ = deadlines_.armed() > 0;
    if (ticking_) tick();
  });
}

WorkerGroup::WorkerGroup(std::size_t count, const WorkerOptions& options) {
  POSTERN_CHECK(count > 0);
  for (std::size_t i = 0; i < count; ++i) {
    WorkerOptions own = options;
    own.name += "-" + std::to_string(i);
    workers_.push_back(std::make_unique<Worker>(std::move(own)));
  }
}

WorkerGroup::~WorkerGroup() {
  stop();
  join();
  for (auto& worker : workers_) worker->destroy_sessions();
}

void WorkerGroup::start() {
  for (auto& worker : workers_) worker->start();
}

void WorkerGroup::stop() {
  for (auto& worker : workers_) worker->stop();
}

void WorkerGroup::join() {
  for (auto& worker : workers_) worker->join();
}

Worker& WorkerGroup::least_loaded() {
  const std::size_t first = turn_.fetch_add(1, std::memory_order_relaxed);
  Worker* best = nullptr;
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    Worker& candidate = *workers_[(first + i) % workers_.size()];
    if (best == nullptr || candidate.load() < best->load()) best = &candidate;
  }
  return *best;
}

}  // namespace postern::proxy
