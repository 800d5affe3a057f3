#include "sql/parser_pool.hpp"

#include <utility>

#include "base/codes/sql.hpp"

namespace postern::sql {

namespace {

class Attributes {
 public:
  Attributes() { pthread_attr_init(&attributes_); }
  ~Attributes() { pthread_attr_destroy(&attributes_); }
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;
  pthread_attr_t* get() { return &attributes_; }

 private:
  pthread_attr_t attributes_{};
};

}  // namespace

ParserPool::~ParserPool() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (pthread_t thread : threads_) pthread_join(thread, nullptr);
}

Status ParserPool::start(const ParserPoolOptions& options) {
  queue_limit_ = options.queue;
  Attributes attributes;
  if (pthread_attr_setstacksize(attributes.get(), options.stack_bytes) != 0) {
    return make_error(pst::kAnalysisUnavailable, "stack size not accepted");
  }
  for (std::size_t i = 0; i < options.threads; ++i) {
    pthread_t thread{};
    if (pthread_create(&thread, attributes.get(), &ParserPool::enter, this) != 0) {
      return make_error(pst::kAnalysisUnavailable, "thread cannot be created");
    }
    threads_.push_back(thread);
  }
  return ok();
}

Status ParserPool::submit(Job job) {
  {
    const std::lock_guard lock(mutex_);
    if (jobs_.size() >= queue_limit_) return make_error(pst::kAnalysisBusy);
    jobs_.push_back(std::move(job));
  }
  wake_.notify_one();
  return ok();
}

std::size_t ParserPool::waiting() const {
  const std::lock_guard lock(mutex_);
  return jobs_.size();
}

void* ParserPool::enter(void* self) {
  static_cast<ParserPool*>(self)->run();
  return nullptr;
}

void ParserPool::run() {
  for (;;) {
    Job job;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return stopping_ || !jobs_.empty(); });
      if (jobs_.empty()) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    job();
  }
}

}  // namespace postern::sql
