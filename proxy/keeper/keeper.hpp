// Keeps the Protection of every database asked for: catalog snapshot, compiled rules, wall verdict.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "config/options.hpp"
#include "proxy/runtime/database.hpp"

namespace postern::proxy {

class WatchedDatabase;

/// One per process. All its work runs on the home worker; sessions of any worker ask it. It must
/// outlive the sessions of every worker; configuration and directory must outlive it.
class Keeper {
 public:
  /// Distance of two looks at a database's catalog fingerprint.
  static constexpr std::chrono::milliseconds kPollInterval{5'000};

  /// What a reload means for the databases under watch.
  struct Change {
    const config::Config* config = nullptr;  ///< lives as long as the process
    bool rules = false;                      ///< tables, columns, tenants or the policy changed
    std::vector<Database*> current;          ///< all that are in force
    std::vector<Database*> retired;          ///< removed or leading elsewhere
  };

  Keeper(const config::Config* config, Worker* home);
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;
  ~Keeper();

  /// Called by each login, on its worker `caller`, before anything is decided about it. Returns at
  /// once where the database has a Protection or needs none (nothing configured that looks into
  /// statements: database->protection() stays null and Postern relays). Otherwise the first caller
  /// starts loading and all wait for it.
  ///
  /// ok() does not mean that anything may pass: look at Protection::blocked. Errors:
  /// kCatalogUnreadable where the server cannot be asked, kUnknownDatabase, the kPolicy... errors
  /// of rules that do not fit the catalog. Nothing is published then, and the next login tries
  /// again.
  Task<Status> ensure(Worker* caller, Database* database);

  /// A session saw DDL succeed: looks at the catalog soon, not only at the next poll. Any thread.
  void catalog_changed(Database* database);

  /// Takes a new configuration over: everything under watch is loaded anew with it and published as
  /// a whole. A database that becomes protected lets nothing pass until then, and one whose rules
  /// changed lets nothing pass where its catalog cannot be read. Any thread.
  void reconfigure(Change change);

  /// Does any section look into the statements of this database?
  [[nodiscard]] bool is_needed(const Database& database) const;

 private:
  struct Waiter;

  void ask(std::shared_ptr<Waiter> waiter, Database* database);
  void take(const Change& change);
  void protect_now(Database* database);
  void block(Database* database);
  WatchedDatabase& watched(Database* database);

  std::atomic<const config::Config*> config_;
  Worker* home_;
  std::atomic<std::uint64_t> next_epoch_{1};
  std::map<Database*, std::unique_ptr<WatchedDatabase>> watched_;  // home's thread only
};

}  // namespace postern::proxy
