#include "proxy/keeper/watched_database.hpp"

#include <algorithm>
#include <utility>

#include "base/codes/pool.hpp"
#include "proxy/keeper/keeper.hpp"
#include "proxy/keeper/policy_options.hpp"
#include "proxy/sinks/log.hpp"

namespace postern::proxy {

WatchedDatabase::WatchedDatabase(const config::Config* config, Database* database, Worker* home,
                                 std::atomic<std::uint64_t>* epochs)
    : config_(config), database_(database), home_(home), epochs_(epochs), timer_(home->executor()) {
  connect_with(*config);
}

void WatchedDatabase::connect_with(const config::Config& config) {
  if (!config.service) return;
  ServicePlace place{&database_->cluster(), 0, database_->upstream()};
  connection_ = std::make_unique<ServiceConnection>(home_, &*config.service, std::move(place));
  connection_->limit(kQueryLimit);
}

void WatchedDatabase::ask(Answer answer) {
  if (database_->protection() != nullptr) return answer(ok());
  if (!running_ && last_failure_ && SteadyClock::now() < failed_at_ + kRetryAfter) {
    return answer(*last_failure_);
  }
  waiting_.push_back(std::move(answer));
  start();
}

void WatchedDatabase::load_now() {
  start();
}

void WatchedDatabase::start() {
  if (running_) return;
  adopt_pending();
  running_ = true;
  home_->spawn(run());
}

void WatchedDatabase::look_soon() {
  look_now_ = true;
  look_again_ = true;
  timer_.cancel();
}

void WatchedDatabase::answer_all(const Status& status) {
  const std::vector<Answer> answers = std::move(waiting_);
  waiting_.clear();
  for (const Answer& answer : answers) answer(status);
}

// The order of the steps is the contract: nothing is published before rules and wall are known.
Task<void> WatchedDatabase::run() {
  const Status loaded = co_await first_load();
  // Blocked from before: nobody would ask again, so the watch goes on.
  const bool goes_on = !loaded && database_->protection() != nullptr;
  if (goes_on) reload_failed(loaded.error());
  if (!loaded && !goes_on) {
    last_failure_ = loaded.error();
    failed_at_ = SteadyClock::now();
    running_ = false;
    adopt_pending();
    log_failure("catalog_failed", loaded.error(), {{"database", database_->name()}});
  }
  answer_all(loaded);
  if (!loaded && !goes_on) co_return;
  while (connection_ != nullptr) {
    co_await pause();
    if (retired_now()) co_return;
    if (adopt_pending()) {
      co_await load_again();
    } else {
      co_await look();
    }
  }
}

Task<Status> WatchedDatabase::first_load() {
  const bool must_protect = config::is_protected(*config_, database_->name());
  if (connection_ == nullptr) {
    publish_without_catalog();
    co_return ok();
  }
  const Status loaded = co_await load();
  if (loaded) {
    co_await verify();
    publish();
    co_return ok();
  }
  const bool unreadable = loaded.error().code == pst::kCatalogUnreadable;
  if (must_protect || !unreadable) co_return loaded;
  // Nothing is protected here: serve without knowing the catalog, and go on trying.
  note_failure(loaded.error());
  publish_without_catalog();
  co_return ok();
}

// The primary where it is known, else the first node that is none's standby, else any.
Task<Status> WatchedDatabase::connect() {
  const auto state = connection_->cluster().state();
  if (const auto primary = state->live_primary()) {
    connection_->move_to(*primary);
    co_return co_await connection_->open();
  }
  if (connection_->is_open()) co_return ok();
  Status last = make_error(pst::kUpstreamUnavailable);
  std::optional<std::size_t> standby;
  for (std::size_t i = 0; i < connection_->cluster().nodes().size(); ++i) {
    connection_->move_to(i);
    last = co_await connection_->open();
    if (last && !connection_->facts()->standby) co_return ok();
    if (last) standby = i;
    if (!last && last.error().code == pst::kUnknownDatabase) co_return last;
  }
  if (!standby) co_return last;
  connection_->move_to(*standby);
  co_return co_await connection_->open();
}

// Reads the catalog and compiles the rules; changes nothing where it fails.
Task<Status> WatchedDatabase::load() {
  const Status connected = co_await connect();
  if (!connected) {
    if (connected.error().code == pst::kUnknownDatabase) co_return connected;
    co_return make_error(pst::kCatalogUnreadable, connected.error().line());
  }
  auto options = policy_options(*config_, database_->name());
  if (!options) co_return options.error();
  options->caches = config_->cache.has_value();
  const std::uint64_t epoch = epochs_->fetch_add(1);
  Result<CatalogSnapshot> snapshot = co_await read_snapshot(connection_.get(), epoch);
  if (!snapshot) co_return snapshot.error();
  auto rules = policy::compile_ruleset(*options, snapshot->catalog);
  // The fingerprint counts as seen even so: the same catalog would fail in the same way.
  fingerprint_ = std::move(snapshot->fingerprint);
  if (!rules) co_return rules.error();
  catalog_ = std::move(snapshot->catalog);
  rules_ = std::move(*rules);
  rules_problem_.reset();
  verify_at_ = {};
  co_return ok();
}

Task<void> WatchedDatabase::pause() {
  using std::chrono::milliseconds;
  auto until = SteadyClock::now() +
               (look_again_ && !look_now_ ? milliseconds(kSettle) : Keeper::kPollInterval);
  if (needs_wall()) until = std::min(until, verify_at_);
  if (!look_now_) {
    timer_.expires_at(until);
    auto operation = timer_.async_wait(kAwait);
    co_await std::move(operation);
  }
  if (!look_now_) look_again_ = false;
  look_now_ = false;
}

Task<void> WatchedDatabase::look() {
  const Status connected = co_await connect();
  if (!connected) {
    note_failure(connected.error());
  } else {
    const Result<std::string> now = co_await read_fingerprint(connection_.get());
    if (!now) {
      note_failure(now.error());
    } else if (*now != fingerprint_) {
      const Status loaded = co_await load();
      if (!loaded) reload_failed(loaded.error());
      if (loaded) {
        rules_pending_ = false;
        told_failure_.clear();
        log_info("catalog_loaded", {{"database", database_->name()}});
        co_await verify();
        publish();
      }
    } else {
      told_failure_.clear();
    }
  }
  // Another server answers now, as after a failover: what was verified was another wall.
  const bool elsewhere =
      connection_->is_open() && connection_->generation() != verified_generation_;
  if (needs_wall() && (elsewhere || SteadyClock::now() >= verify_at_)) co_await verify();
}

void WatchedDatabase::note_failure(const Error& error) {
  if (told_failure_ == error.line()) return;
  told_failure_ = error.line();
  log_failure("catalog_unreachable", error, {{"database", database_->name()}});
}

// A server that cannot be asked changes nothing yet; a catalog that the rules do not fit does, and
// rules that nobody could resolve so far do.
void WatchedDatabase::reload_failed(const Error& error) {
  note_failure(error);
  const bool unreadable =
      error.code == pst::kCatalogUnreadable || error.code == pst::kUnknownDatabase;
  if (unreadable) fingerprint_.clear();
  const bool must_block = rules_pending_ && config::is_protected(*config_, database_->name());
  if (unreadable && !must_block) return;
  rules_problem_ = error;
  publish();
}

void WatchedDatabase::publish_without_catalog() {
  auto protection = std::make_shared<Protection>();
  protection->epoch = epochs_->fetch_add(1);
  protection->is_protected = config::is_protected(*config_, database_->name());
  if (protection->is_protected) {
    Error error =
        make_error(pst::kProtectionBlocked, "its catalog cannot be read without [service]");
    error.hint = "Configure [service] with a login that may connect to the database.";
    log_failure("protection_blocked", error, {{"database", database_->name()}});
    protection->blocked = std::move(error);
  }
  database_->publish(std::move(protection));
}

void WatchedDatabase::publish() {
  auto protection = std::make_shared<Protection>();
  protection->epoch = epochs_->fetch_add(1);
  // A configuration about to be adopted protects it for the first time: its rules are not here.
  const bool behind = pending_ != nullptr && config::is_protected(*pending_, database_->name()) &&
                      !config::is_protected(*config_, database_->name());
  protection->is_protected =
      behind || (rules_ != nullptr && rules_->is_protected) || rules_problem_;
  protection->catalog = catalog_;
  protection->rules = rules_;
  protection->blocked = rules_problem_ ? rules_problem_ : wall_problem_;
  protection->guard_key = guard_key_;
  protection->walled_replicas = walled_replicas_;
  if (behind)
    protection->blocked = make_error(pst::kProtectionBlocked, "its rules are being loaded");
  database_->publish(std::move(protection));
}

}  // namespace postern::proxy
