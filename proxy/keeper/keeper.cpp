#include "proxy/keeper/keeper.hpp"

#include <algorithm>
#include <utility>

#include "base/codes/pool.hpp"
#include "proxy/keeper/watched_database.hpp"
#include "proxy/net/event.hpp"

namespace postern::proxy {

/// One login that waits. `event` is touched on the caller's thread only and null once the login is
/// gone, so that nothing of the caller's worker is kept alive here.
struct Keeper::Waiter {
  Worker* caller = nullptr;
  Event* event = nullptr;
  Status status = ok();
  bool done = false;
};

namespace {

template <typename Waiter>
class Leave {
 public:
  explicit Leave(Waiter* waiter) : waiter_(waiter) {}
  Leave(const Leave&) = delete;
  Leave& operator=(const Leave&) = delete;
  ~Leave() { waiter_->event = nullptr; }

 private:
  Waiter* waiter_;
};

}  // namespace

Keeper::Keeper(const config::Config* config, Worker* home) : config_(config), home_(home) {}

Keeper::~Keeper() = default;

bool Keeper::is_needed(const Database& database) const {
  const config::Config& config = *config_.load();
  return config.routing || config.cache || config.audit ||
         config::is_protected(config, database.name());
}

Task<Status> Keeper::ensure(Worker* caller, Database* database) {
  if (database->protection() != nullptr || !is_needed(*database)) co_return ok();
  auto waiter = std::make_shared<Waiter>();
  Event event(caller->executor());
  waiter->caller = caller;
  waiter->event = &event;
  const Leave<Waiter> leave(waiter.get());
  home_->post([this, waiter, database] { ask(waiter, database); });
  while (!waiter->done) co_await event.wait();
  co_return waiter->status;
}

void Keeper::ask(std::shared_ptr<Waiter> waiter, Database* database) {
  watched(database).ask([waiter = std::move(waiter)](const Status& status) {
    waiter->caller->post([waiter, status] {
      waiter->status = status;
      waiter->done = true;
      if (waiter->event != nullptr) waiter->event->set();
    });
  });
}

void Keeper::catalog_changed(Database* database) {
  if (!is_needed(*database)) return;
  home_->post([this, database] { watched(database).look_soon(); });
}

void Keeper::reconfigure(Change change) {
  const config::Config* before = config_.exchange(change.config);
  // Not a moment later: what is asked from now on is asked of a protected database.
  for (Database* database : change.current) {
    const bool newly = config::is_protected(*change.config, database->name()) &&
                       !config::is_protected(*before, database->name());
    if (newly) block(database);
  }
  home_->post([this, change = std::move(change)] { take(change); });
}

void Keeper::take(const Change& change) {
  for (Database* database : change.retired) {
    const auto known = watched_.find(database);
    if (known != watched_.end()) known->second->retire();
  }
  for (Database* database : change.current) {
    const auto known = watched_.find(database);
    if (known != watched_.end()) {
      known->second->reconfigure(change.config, change.rules);
    } else if (is_needed(*database)) {
      protect_now(database);
    }
  }
}

// Sessions that were only relayed so far: what must be protected now waits for its rules.
void Keeper::protect_now(Database* database) {
  if (config::is_protected(*config_, database->name())) block(database);
  watched(database).load_now();
}

void Keeper::block(Database* database) {
  auto protection = std::make_shared<Protection>();
  protection->epoch = next_epoch_.fetch_add(1);
  protection->is_protected = true;
  protection->blocked = make_error(pst::kProtectionBlocked, "its rules are being loaded");
  database->publish(std::move(protection));
}

WatchedDatabase& Keeper::watched(Database* database) {
  auto& entry = watched_[database];
  if (entry == nullptr) {
    entry = std::make_unique<WatchedDatabase>(config_, database, home_, &next_epoch_);
  }
  return *entry;
}

}  // namespace postern::proxy
