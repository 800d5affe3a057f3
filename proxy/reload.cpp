#include "proxy/reload.hpp"

#include <algorithm>
#include <utility>

#include "base/codes/config.hpp"
#include "config/guard_key.hpp"
#include "config/load.hpp"
#include "proxy/keeper/policy_options.hpp"
#include "proxy/net/event.hpp"
#include "proxy/pool/settings.hpp"
#include "proxy/runtime/shapes.hpp"
#include "proxy/session/session.hpp"
#include "proxy/sinks/log.hpp"

namespace postern::proxy {
namespace {

/// Lines of one report that go to the log; the rest is counted.
constexpr std::size_t kMaxLoggedLines = 200;
/// A set of files may be exchanged while it is read; so often it is read again.
constexpr int kMaxReadings = 3;

void append_names(std::vector<std::string>& lines, std::string_view kind,
                  const config::NameChanges& names) {
  const auto add = [&](const std::set<std::string>& list, std::string_view what) {
    for (const std::string& name : list) {
      lines.push_back(std::string(kind) + " " + name + ": " + std::string(what));
    }
  };
  add(names.added, "added");
  add(names.removed, "removed");
  add(names.changed, "changed");
}

/// A configuration with the marks of its files, read until two readings agree.
struct Reading {
  std::shared_ptr<config::Config> config;
  config::FileMarks marks;
  std::vector<Error> errors;
};

Reading read_once(const std::string& file) {
  Reading reading;
  config::LoadReport report = config::load_report(file, config::process_environment());
  reading.errors = std::move(report.errors);
  reading.config = std::make_shared<config::Config>(std::move(report.config));
  if (reading.errors.empty()) reading.marks = config::file_marks(*reading.config);
  return reading;
}

Reading read_settled(const std::string& file) {
  Reading reading = read_once(file);
  for (int i = 1; i < kMaxReadings; ++i) {
    Reading again = read_once(file);
    const bool settled =
        reading.errors.empty() && again.errors.empty() &&
        config::difference(*reading.config, *again.config, reading.marks, again.marks).empty();
    reading = std::move(again);
    if (settled) break;
  }
  return reading;
}

// What the keeper would find out later, database by database.
Status check_policies(const config::Config& config) {
  for (const auto& [name, options] : config.databases) {
    const auto policy = policy_options(config, name);
    if (!policy) return policy.error();
  }
  if (config.tenant && !config.tenant->guard_key_file.empty()) {
    const auto key = config::load_guard_key(config.tenant->guard_key_file.path);
    if (!key) return key.error();
  }
  return ok();
}

bool touches_rules(const config::Difference& difference) {
  for (const std::string_view section : {"tenant", "table", "column", "policy"}) {
    if (difference.touches(section)) return true;
  }
  return false;
}

// Whose password towards servers is another.
std::set<std::string> logins_with_other_passwords(const config::Config& before,
                                                  const config::Config& now) {
  std::set<std::string> names;
  for (const auto& [name, user] : before.users) {
    const auto next = now.users.find(name);
    if (next == now.users.end() || next->second.password.reveal() != user.password.reveal()) {
      names.insert(name);
    }
  }
  return names;
}

void log_report(const ReloadReport& report) {
  for (const Error& error : report.errors) log_failure("reload_failed", error);
  if (!report.applied()) return;
  const std::vector<std::string> lines = report.lines();
  for (std::size_t i = 0; i < std::min(lines.size(), kMaxLoggedLines); ++i) {
    log_info("reload_change", {{"what", lines[i]}});
  }
  std::int64_t restart = 0;
  for (const config::KeyChange& change : report.difference.keys) {
    restart += change.reload == config::Reload::kNo ? 1 : 0;
  }
  log_info("reloaded", {{"changes", static_cast<std::int64_t>(report.difference.keys.size())},
                        {"need_restart", restart}});
}

}  // namespace

/// All of a configuration that is ready to be put in force.
struct Reloader::Candidate {
  std::shared_ptr<config::Config> config;
  config::FileMarks marks;
  std::shared_ptr<const UserDirectory::Table> users;
  std::shared_ptr<const AuthRules> rules;
  std::shared_ptr<const IdentityServices> identity;
  std::shared_ptr<const ClientTls> client_tls;
  DatabaseDirectory::Prepared databases;
};

std::vector<std::string> ReloadReport::lines() const {
  std::vector<std::string> out;
  for (const Error& error : errors) out.push_back(error.line());
  if (!errors.empty()) return out;
  for (const config::KeyChange& change : difference.keys) out.push_back(change.text());
  append_names(out, "cluster", difference.clusters);
  append_names(out, "database", difference.databases);
  append_names(out, "user", difference.users);
  if (out.empty()) out.emplace_back("nothing changed");
  return out;
}

Reloader::Reloader(Runtime* runtime, Worker* home, std::vector<WorkerContext*> contexts)
    : runtime_(runtime),
      home_(home),
      contexts_(std::move(contexts)),
      marks_(config::file_marks(*runtime->config)) {}

void Reloader::start() {
  const std::lock_guard lock(mutex_);
  watch({}, runtime_->databases.clusters());
}

void Reloader::stop() {
  thread_.stop();
}

ReloadReport Reloader::reload() {
  const std::lock_guard lock(mutex_);
  ReloadReport report = attempt();
  log_report(report);
  return report;
}

ReloadReport Reloader::attempt() {
  ReloadReport report;
  if (runtime_->stopping) {
    report.errors.push_back(make_error(pst::kReloadRefused, "the process stops"));
    return report;
  }
  Reading reading = read_settled(runtime_->config->file);
  report.errors = std::move(reading.errors);
  if (!report.applied()) return report;
  Candidate next;
  next.config = std::move(reading.config);
  next.marks = std::move(reading.marks);
  auto difference = config::difference(*runtime_->config, *next.config, marks_, next.marks);
  config::keep_restart_keys(*next.config, *runtime_->config);
  const Status checked = check_policies(*next.config);
  const Status prepared = checked ? prepare(next, difference.clusters.changed) : checked;
  if (!prepared) {
    report.errors.push_back(prepared.error());
    return report;
  }
  if (!difference.empty()) adopt(std::move(next), difference);
  report.difference = std::move(difference);
  return report;
}

// What is prepared refers to the configuration; they live and die together.
Status Reloader::prepare(Candidate& next, const std::set<std::string>& changed_clusters) {
  POSTERN_ASSIGN(next.users, runtime_->users.prepare(*next.config));
  POSTERN_ASSIGN(next.rules, AuthServices::make_rules(next.config->auth));
  POSTERN_ASSIGN(next.identity, AuthServices::make_identity(next.config->identity));
  POSTERN_ASSIGN(next.client_tls, open_client_tls(next.config->listen.tls));
  POSTERN_ASSIGN(next.databases, runtime_->databases.prepare(*next.config, changed_clusters));
  const config::FilePath& pins = next.config->policy.pins_file;
  if (!pins.empty()) POSTERN_TRY(read_shapes(pins.path));
  return ok();
}

// The pointer to the configuration comes last: a login that saw the old one is looked at again.
void Reloader::adopt(Candidate next, const config::Difference& difference) {
  const config::Config& before = *runtime_->config;
  runtime_->users.adopt(std::move(next.users));
  runtime_->auth->rules.store(std::move(next.rules));
  runtime_->auth->identity.store(std::move(next.identity));
  runtime_->client_tls.store(std::move(next.client_tls));
  const auto adopted = runtime_->databases.adopt(std::move(next.databases));
  runtime_->config.adopt(next.config);
  const config::Config& now = *runtime_->config;
  marks_ = std::move(next.marks);
  set_log_level(now.log.level);
  const Status pinned = shapes().configure(now.policy);
  if (!pinned) log_failure("pins_not_read", pinned.error());

  Keeper::Change change;
  change.config = &now;
  change.rules = touches_rules(difference);
  change.current = runtime_->databases.databases();
  change.retired = adopted.retired;
  runtime_->keeper->reconfigure(change);
  watch(difference, adopted.fresh);
  if (runtime_->keys != nullptr) runtime_->keys->reload();

  std::set<std::string> databases;
  for (const Database* database : adopted.retired) databases.insert(database->name());
  for (const Database* database : adopted.reopened) databases.insert(database->name());
  // Before, its connections were shared by whoever came.
  for (const Database* database : change.current) {
    const std::string& name = database->name();
    if (config::is_protected(before, name) != config::is_protected(now, name)) {
      databases.insert(name);
    }
  }
  const std::set<std::string> logins = logins_with_other_passwords(before, now);
  runtime_->broker.reconnect([&](const PoolKey& key) {
    return databases.contains(key.database) || logins.contains(key.user);
  });
  runtime_->broker.retune([&](const PoolKey& key, const std::string& login) {
    const Database* database = runtime_->databases.find(key.database);
    const config::DatabaseOptions unserved;
    return pool_settings(now.limits, database != nullptr ? database->options() : unserved,
                         runtime_->users.options(login), login);
  });
  for (WorkerContext* context : contexts_) wake_sessions(context);
}

// One monitor for each cluster in force, of its latest version and with what it depends on.
void Reloader::watch(const config::Difference& difference, const std::vector<Cluster*>& fresh) {
  const bool all = difference.touches("service") || difference.touches("routing") ||
                   difference.touches("database");
  const std::vector<Cluster*> now = runtime_->databases.clusters();
  const auto has = [](const std::vector<Cluster*>& list, const Cluster* cluster) {
    return std::find(list.begin(), list.end(), cluster) != list.end();
  };
  for (auto it = monitors_.begin(); it != monitors_.end();) {
    if (!all && has(now, it->first)) {
      ++it;
      continue;
    }
    it->second->stop();
    former_monitors_.push_back(std::move(it->second));
    it = monitors_.erase(it);
  }
  for (Cluster* cluster : now) {
    if (!all && !has(fresh, cluster)) continue;
    auto monitor = std::make_unique<Monitor>(runtime_->config.get(), cluster, home_);
    monitor->start();
    monitors_.emplace_back(cluster, std::move(monitor));
  }
}

namespace {

/// Filled by the thread of a reload, read on the worker that waits.
struct Answer {
  std::shared_ptr<const ReloadReport> report;
  Event* event = nullptr;  ///< null once nobody waits any more
};

class Waits {
 public:
  Waits(Answer* answer, Event* event) : answer_(answer) { answer->event = event; }
  Waits(const Waits&) = delete;
  Waits& operator=(const Waits&) = delete;
  ~Waits() { answer_->event = nullptr; }

 private:
  Answer* answer_;
};

void hand_back(Worker* worker, std::shared_ptr<Answer> answer, ReloadReport report) {
  auto shared = std::make_shared<const ReloadReport>(std::move(report));
  worker->post([answer = std::move(answer), shared = std::move(shared)] {
    answer->report = shared;
    if (answer->event != nullptr) answer->event->set();
  });
}

}  // namespace

Task<std::shared_ptr<const ReloadReport>> Reloader::reload_from(Worker* worker) {
  auto answer = std::make_shared<Answer>();
  Event event(worker->executor());
  const Waits waits(answer.get(), &event);
  thread_.run([this, worker, answer] { hand_back(worker, answer, reload()); });
  while (answer->report == nullptr) co_await event.wait();
  co_return answer->report;
}

Result<std::shared_ptr<const ClientTls>> open_client_tls(const config::ListenTlsOptions& tls) {
  if (tls.mode == config::ClientTlsMode::kDisable) return std::shared_ptr<const ClientTls>();
  TlsServerSettings settings;
  settings.cert_file = tls.cert_file.path;
  settings.key_file = tls.key_file.path;
  settings.client_ca_file = tls.client_ca_file.path;
  settings.require_client_cert =
      !tls.client_ca_file.empty() && tls.client_cert == config::ClientCertMode::kRequire;
  POSTERN_ASSIGN(TlsContext context, TlsContext::server(settings));
  const bool required = tls.mode == config::ClientTlsMode::kRequire;
  return std::make_shared<const ClientTls>(ClientTls{required, std::move(context)});
}

}  // namespace postern::proxy
