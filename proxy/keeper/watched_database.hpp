// One database under watch: loads, compares, verifies, publishes. The home worker's thread only.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proxy/keeper/service_connection.hpp"
#include "proxy/keeper/snapshot.hpp"

namespace postern::proxy {

/// Driven by Keeper. Must outlive the home worker's sessions.
class WatchedDatabase {
 public:
  /// After a failed first load, logins within this time get its error instead of a new attempt.
  static constexpr std::chrono::milliseconds kRetryAfter{1'000};
  /// Sessions see DDL before others see it committed: one more look after this.
  static constexpr std::chrono::milliseconds kSettle{250};
  /// Longest one query for catalog or wall may take.
  static constexpr std::chrono::seconds kQueryLimit{30};
  /// Verifications that may fail to come about, one after the other, before a wall that stood
  /// counts as down.
  static constexpr int kMaxFailedVerifications = 3;

  using Answer = std::function<void(const Status&)>;

  WatchedDatabase(const config::Config* config, Database* database, Worker* home,
                  std::atomic<std::uint64_t>* epochs);
  WatchedDatabase(const WatchedDatabase&) = delete;
  WatchedDatabase& operator=(const WatchedDatabase&) = delete;

  /// Calls `answer` once the first load is done; starts it where it is not under way.
  void ask(Answer answer);
  /// The first load, also where something is published already.
  void load_now();
  /// Loads everything anew with another configuration, which lives as long as the process, and
  /// publishes the result. `rules`: what protects may differ, so a failure blocks.
  void reconfigure(const config::Config* config, bool rules);
  /// No new session comes here: ends after shutdown_timeout, and lets nothing pass from then on.
  void retire();
  /// Looks at the fingerprint now.
  void look_soon();

 private:
  void start();
  Task<void> run();
  Task<void> load_again();
  bool adopt_pending();
  bool retired_now();
  void connect_with(const config::Config& config);
  Task<Status> first_load();
  Task<Status> connect();
  Task<void> look();
  Task<Status> load();
  Task<void> verify();
  /// Those that a second look finds as well, or of several looks that never agree the last.
  Task<Result<std::vector<policy::WallDifference>>> settled_differences();
  Task<void> verify_nodes();
  Task<bool> replica_stands(std::size_t node, std::vector<std::vector<std::string>>* keys,
                            std::string hash);
  Task<void> pause();

  void answer_all(const Status& status);
  void publish_without_catalog();
  void publish();
  void set_wall(std::optional<Error> problem);
  void set_replicas(std::optional<std::vector<Endpoint>> walled);
  void choose_guard_key(const std::vector<std::vector<std::string>>& held);
  void take_differences(const std::vector<policy::WallDifference>& differences);
  void verification_failed(const Error& error);
  void reload_failed(const Error& error);
  void note_failure(const Error& error);
  [[nodiscard]] bool needs_wall() const;
  [[nodiscard]] bool enforces() const;

  const config::Config* config_;
  Database* database_;
  Worker* home_;
  std::atomic<std::uint64_t>* epochs_;
  std::unique_ptr<ServiceConnection> connection_;  ///< null without [service]
  Timer timer_;

  const config::Config* pending_ = nullptr;  ///< taken over between two steps
  bool rules_pending_ = false;               ///< and its rules may differ
  std::optional<SteadyClock::time_point> retire_at_;
  std::vector<Answer> waiting_;
  bool running_ = false;
  bool look_now_ = false;
  bool look_again_ = false;
  std::optional<Error> last_failure_;  ///< of the first load
  SteadyClock::time_point failed_at_{};
  std::string told_failure_;  ///< a failure already logged

  std::string fingerprint_;
  std::shared_ptr<const sql::Catalog> catalog_;
  std::shared_ptr<const policy::Ruleset> rules_;
  std::optional<Error> rules_problem_;  ///< the catalog of now does not fit the rules
  std::optional<Error> wall_problem_;
  std::string told_differences_;
  int failed_verifications_ = 0;
  std::shared_ptr<const Secret> guard_key_;  ///< see Protection
  std::string guard_kid_;
  std::optional<std::vector<Endpoint>> walled_replicas_;
  std::map<std::size_t, std::string> told_replicas_;  ///< what was logged of each, by node
  std::uint64_t verified_generation_ = 0;             ///< of the connection last verified over
  bool wall_was_seen_ = false;  ///< a verification came about since the wall became needed
  SteadyClock::time_point verify_at_{};
};

}  // namespace postern::proxy
