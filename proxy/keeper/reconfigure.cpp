// The part of WatchedDatabase that follows a reload of the configuration.
#include <utility>

#include "base/codes/pool.hpp"
#include "proxy/keeper/watched_database.hpp"
#include "proxy/sinks/log.hpp"

namespace postern::proxy {

void WatchedDatabase::reconfigure(const config::Config* config, bool rules) {
  const config::Config* before = pending_ != nullptr ? pending_ : config_;
  const bool newly = config::is_protected(*config, database_->name()) &&
                     !config::is_protected(*before, database_->name());
  pending_ = config;
  // Nothing passes from here on, until the rules are known.
  if (newly && database_->protection() != nullptr) publish();
  rules_pending_ = rules_pending_ || rules;
  if (running_ && connection_ != nullptr) return look_soon();
  // Between two attempts, or served without catalog: nothing is under way that could see both.
  last_failure_.reset();
  adopt_pending();
  if (running_) publish_without_catalog();
}

void WatchedDatabase::retire() {
  if (!retire_at_) retire_at_ = SteadyClock::now() + config_->limits.shutdown_timeout;
  if (running_) look_soon();
}

// True where another configuration is in force from here on.
bool WatchedDatabase::adopt_pending() {
  if (pending_ == nullptr) return false;
  config_ = std::exchange(pending_, nullptr);
  connect_with(*config_);
  fingerprint_.clear();
  return true;
}

// What was published stays until all of the new is known, unless the new rules cannot be applied.
Task<void> WatchedDatabase::load_again() {
  const Status loaded = co_await load();
  if (!loaded) {
    reload_failed(loaded.error());
    co_return;
  }
  rules_pending_ = false;
  told_failure_.clear();
  co_await verify();
  publish();
  log_info("policy_loaded", {{"database", database_->name()}});
}

bool WatchedDatabase::retired_now() {
  if (!retire_at_ || SteadyClock::now() < *retire_at_) return false;
  connection_->close();
  const auto present = database_->protection();
  if (present == nullptr || !present->is_protected) return true;
  auto protection = std::make_shared<Protection>(*present);
  protection->epoch = epochs_->fetch_add(1);
  protection->blocked = make_error(pst::kProtectionBlocked, "the database was taken away");
  database_->publish(std::move(protection));
  return true;
}

}  // namespace postern::proxy
