#include "proxy/route/monitor.hpp"

#include <algorithm>
#include <utility>

#include "base/codes/pool.hpp"
#include "proxy/sinks/log.hpp"

namespace postern::proxy {
namespace {

constexpr std::string_view kStartingOrStopping = "57";  // class 57: operator intervention
constexpr std::string_view kLostClass = "08";

const char* to_word(NodeRole role) {
  switch (role) {
    case NodeRole::kUnknown:
      return "unknown";
    case NodeRole::kPrimary:
      return "primary";
    case NodeRole::kReplica:
      return "replica";
    case NodeRole::kDown:
      return "down";
  }
  return "unknown";
}

// The server is there and answers, but not to this login.
bool is_refusal(const Error& error) {
  if (error.code == pst::kUnknownDatabase) return true;
  const std::string_view state = upstream_sqlstate(error);
  return !state.empty() && !state.starts_with(kStartingOrStopping) &&
         !state.starts_with(kLostClass);
}

}  // namespace

struct Monitor::Node {
  Node(Worker* home, const config::ServiceOptions* service, ServicePlace place)
      : connection(home, service, std::move(place)), timer(home->executor()) {}

  ServiceConnection connection;
  Timer timer;
  NodeReport report;
  bool asked = false;
  std::size_t database = 0;      ///< index into databases_
  std::uint64_t generation = 0;  ///< of the connection that answered last
  std::string told;              ///< a failure or fault already logged
};

Monitor::Monitor(const config::Config* config, Cluster* cluster, Worker* home)
    : config_(config), cluster_(cluster), home_(home) {
  if (config->routing) interval_ = config->routing->poll_interval;
  databases_ = probe_databases(*config, cluster->name());
}

Monitor::~Monitor() = default;

std::vector<std::string> Monitor::probe_databases(const config::Config& config,
                                                  std::string_view cluster) {
  std::vector<std::string> names;
  for (const auto& [name, options] : config.databases) {
    if (options.cluster != cluster) continue;
    if (name == "*" && options.upstream.empty()) continue;
    std::string database = config::upstream_database(options, name);
    const bool known = std::find(names.begin(), names.end(), database) != names.end();
    if (!known) names.push_back(std::move(database));
  }
  names.emplace_back("postgres");
  return names;
}

void Monitor::start() {
  if (!config_->service || !nodes_.empty()) return;
  const std::size_t count = cluster_->nodes().size();
  unasked_ = count;
  for (std::size_t i = 0; i < count; ++i) {
    ServicePlace place{cluster_, i, databases_.front()};
    nodes_.push_back(std::make_unique<Node>(home_, &*config_->service, std::move(place)));
    nodes_.back()->connection.limit(kProbeTimeout);
  }
  // One coroutine a node: one that hangs must not delay what is known of the others.
  for (std::size_t i = 0; i < count; ++i) home_->spawn(watch(i));
}

void Monitor::stop() {
  home_->post([this] {
    stopped_ = true;
    for (const auto& node : nodes_) node->timer.cancel();
  });
}

Task<void> Monitor::watch(std::size_t index) {
  Node& node = *nodes_[index];
  for (;;) {
    NodeReport report = co_await probe(index);
    if (stopped_) break;
    node.report = report;
    if (!node.asked) --unasked_;
    node.asked = true;
    publish();
    node.timer.expires_after(interval_);
    auto operation = node.timer.async_wait(kAwait);
    co_await std::move(operation);
    if (stopped_) break;
  }
  node.connection.close();
}

Task<NodeReport> Monitor::probe(std::size_t index) {
  Node& node = *nodes_[index];
  std::string text(probe_sql());
  const Result<Rows> rows = co_await node.connection.query(std::move(text));
  if (!rows) co_return failed(node, rows.error());
  Result<NodeReport> report = read_report(*rows, SteadyClock::now());
  if (!report) co_return failed(node, report.error());
  report->same_backend = node.generation == node.connection.generation();
  node.generation = node.connection.generation();
  co_return *report;
}

NodeReport Monitor::failed(Node& node, const Error& error) {
  if (error.code == pst::kUnknownDatabase) {
    node.database = (node.database + 1) % databases_.size();
    node.connection.use_database(databases_[node.database]);
  }
  if (node.told != error.line()) {
    node.told = error.line();
    log_failure("node_not_probed", error,
                {{"cluster", cluster_->name()},
                 {"node", cluster_->nodes()[node.connection.node()].text()}});
  }
  NodeReport report;
  report.outcome = is_refusal(error) ? ProbeOutcome::kRefused : ProbeOutcome::kSilent;
  return report;
}

void Monitor::publish() {
  // A half-known cluster could make a former primary look like the only one.
  if (unasked_ > 0) return;
  std::vector<NodeReport> reports;
  for (const auto& node : nodes_) reports.push_back(node->report);
  const auto before = cluster_->state();
  RoleVerdict verdict = judge_roles(*before, reports);
  tell(*before, verdict);
  cluster_->publish(std::make_shared<const ClusterState>(std::move(verdict.state)));
}

void Monitor::tell(const ClusterState& before, const RoleVerdict& verdict) {
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const std::string name = cluster_->nodes()[i].text();
    const NodeRole role = verdict.state.nodes[i].role;
    if (role != before.nodes[i].role) {
      log_info("node_role",
               {{"cluster", cluster_->name()}, {"node", name}, {"role", to_word(role)}});
    }
    const auto fault = std::find_if(verdict.faults.begin(), verdict.faults.end(),
                                    [&](const auto& entry) { return entry.first == i; });
    std::string& told = nodes_[i]->told;
    if (fault == verdict.faults.end()) {
      if (nodes_[i]->report.outcome == ProbeOutcome::kAnswered) told.clear();
    } else if (told != fault->second.line()) {
      told = fault->second.line();
      log_failure("node_fault", fault->second, {{"cluster", cluster_->name()}, {"node", name}});
    }
  }
}

}  // namespace postern::proxy
