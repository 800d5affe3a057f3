// The part of WatchedDatabase that verifies the wall and acts on what it finds.
#include <algorithm>
#include <utility>

#include "base/codes/wall.hpp"
#include "proxy/alerts/alerts.hpp"
#include "proxy/keeper/policy_options.hpp"
#include "proxy/keeper/watched_database.hpp"
#include "proxy/sinks/log.hpp"

namespace postern::proxy {
namespace {

std::string one_text(const std::vector<policy::WallDifference>& differences) {
  std::string text;
  for (const policy::WallDifference& d : differences) {
    text.append(d.object).append("\n").append(d.problem).append("\n");
  }
  return text;
}

// Fail closed or not, somebody has to know.
void tell_drift(const std::string& database, const std::string& object) {
  Alert alert;
  alert.rule = kRuleDrift;
  alert.code = pst::kWallDrift;
  alert.database = database;
  alert.object = object;
  alert.fingerprint = database + "/" + object;
  raise_alert(std::move(alert));
}

bool contains(const std::vector<policy::WallDifference>& all, const policy::WallDifference& one) {
  return std::any_of(all.begin(), all.end(), [&](const policy::WallDifference& other) {
    return other.object == one.object && other.problem == one.problem;
  });
}

// The server reads rows of a catalog as of one moment, and the definitions behind them as of now:
// of a table that is dropped meanwhile the wall looks changed. Looked at again, it is not there.
std::vector<policy::WallDifference> in_both(const std::vector<policy::WallDifference>& first,
                                            const std::vector<policy::WallDifference>& second) {
  std::vector<policy::WallDifference> out;
  for (const policy::WallDifference& d : second) {
    if (contains(first, d)) out.push_back(d);
  }
  return out;
}

bool same(const std::optional<Error>& a, const std::optional<Error>& b) {
  if (a.has_value() != b.has_value()) return false;
  return !a || (a->code == b->code && a->what == b->what && a->hint == b->hint);
}

}  // namespace

bool WatchedDatabase::needs_wall() const {
  return rules_ != nullptr && rules_->separates_tenants();
}

bool WatchedDatabase::enforces() const {
  return config_->policy.mode >= config::PolicyMode::kEnforce;
}

Task<Result<std::vector<policy::WallDifference>>> WatchedDatabase::settled_differences() {
  constexpr int kLooks = 4;
  std::vector<policy::WallDifference> before;
  for (int look = 1;; ++look) {
    policy::WallOptions options = wall_options(*config_, database_->name());
    auto found = co_await read_wall(connection_.get(), rules_, std::move(options));
    if (!found || found->empty()) co_return found;
    std::vector<policy::WallDifference> lasting = in_both(before, *found);
    if (!lasting.empty()) co_return lasting;
    if (look == kLooks) co_return found;
    before = std::move(*found);
  }
}

Task<void> WatchedDatabase::verify() {
  if (!needs_wall()) {
    set_wall(std::nullopt);
    set_replicas(std::nullopt);
    wall_was_seen_ = false;
    co_return;
  }
  verify_at_ = SteadyClock::now() + config_->policy.verify_interval;
  const Status connected = co_await connect();
  if (!connected) {
    verification_failed(connected.error());
    co_return;
  }
  const auto differences = co_await settled_differences();
  if (!differences) {
    verification_failed(differences.error());
    co_return;
  }
  failed_verifications_ = 0;
  wall_was_seen_ = true;
  verified_generation_ = connection_->generation();
  take_differences(*differences);
  co_await verify_nodes();
}

void WatchedDatabase::take_differences(const std::vector<policy::WallDifference>& differences) {
  std::string text = one_text(differences);
  if (text != told_differences_) {
    for (const policy::WallDifference& d : differences) {
      log_warning("wall_drift", {{"database", database_->name()},
                                 {"object", d.object},
                                 {"problem", d.problem},
                                 {"repair", d.repair}});
      tell_drift(database_->name(), d.object);
    }
    if (differences.empty()) log_info("wall_stands", {{"database", database_->name()}});
    told_differences_ = std::move(text);
  }
  const Status verdict = policy::wall_status(differences);
  if (verdict || !enforces()) return set_wall(std::nullopt);
  Error problem = verdict.error();
  problem.hint = "Repair: " + differences.front().repair;
  set_wall(std::move(problem));
}

// A wall nobody ever saw is none; one that stood gets the time a failover may take.
void WatchedDatabase::verification_failed(const Error& error) {
  ++failed_verifications_;
  log_failure("wall_not_verified", error, {{"database", database_->name()}});
  if (!enforces()) return;
  if (wall_was_seen_ && failed_verifications_ < kMaxFailedVerifications) return;
  tell_drift(database_->name(), "not verified");
  Error problem = make_error(pst::kWallDrift, "it cannot be verified: " + error.message());
  problem.hint = "Check that the login of [service] reaches the primary.";
  set_wall(std::move(problem));
}

void WatchedDatabase::set_wall(std::optional<Error> problem) {
  if (same(problem, wall_problem_)) return;
  wall_problem_ = std::move(problem);
  if (database_->protection() != nullptr) publish();
}

}  // namespace postern::proxy
