#include "proxy/console/visit.hpp"

#include <memory>
#include <mutex>
#include <utility>

namespace postern::proxy::console {
namespace {

struct Visiting {
  std::mutex mutex;
  std::function<void(WorkerContext&)> look;  ///< emptied when the caller leaves
  std::size_t left = 0;
  Event* done = nullptr;  ///< likewise
};

// Whatever happens to the caller's coroutine, no worker looks for it any more afterwards.
class Leave {
 public:
  explicit Leave(std::shared_ptr<Visiting> visiting) : visiting_(std::move(visiting)) {}
  Leave(const Leave&) = delete;
  Leave& operator=(const Leave&) = delete;
  ~Leave() {
    const std::lock_guard lock(visiting_->mutex);
    visiting_->look = nullptr;
    visiting_->done = nullptr;
  }

 private:
  std::shared_ptr<Visiting> visiting_;
};

// On the caller's worker.
void wake(const std::shared_ptr<Visiting>& visiting) {
  Event* done = nullptr;
  {
    const std::lock_guard lock(visiting->mutex);
    done = visiting->done;
  }
  if (done != nullptr) done->set();
}

void look_at(const std::shared_ptr<Visiting>& visiting, WorkerContext* context, Worker* home) {
  const std::lock_guard lock(visiting->mutex);
  if (!visiting->look) return;
  visiting->look(*context);
  if (--visiting->left > 0) return;
  home->post([visiting] { wake(visiting); });
}

void set_event(void* owner) {
  static_cast<Event*>(owner)->set();
}

}  // namespace

Task<void> visit_workers(const Console* console, Worker* home,
                         std::function<void(WorkerContext&)> look) {
  Event done(home->executor());
  auto visiting = std::make_shared<Visiting>();
  visiting->look = std::move(look);
  visiting->left = console->workers().size();
  visiting->done = &done;
  const Leave leave(visiting);
  for (WorkerContext* context : console->workers()) {
    context->worker->post([visiting, context, home] { look_at(visiting, context, home); });
  }
  Deadline deadline(home->deadlines(), set_event, &done);
  deadline.arm(SteadyClock::now() + kVisitTime);
  co_await done.wait();
}

}  // namespace postern::proxy::console
