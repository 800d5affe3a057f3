#include "proxy/admin/scrape.hpp"

#include <algorithm>
#include <map>
#include <tuple>

#include "proxy/alerts/alerts.hpp"
#include "proxy/session/pins.hpp"
#include "proxy/sinks/exposition.hpp"

namespace postern::proxy {
namespace {

// Clients invent database names under "*": the label is the section that serves them.
std::string section_of(const config::Config& config, const std::string& database) {
  return config.databases.contains(database) || database == config::kConsoleDatabase ? database
                                                                                     : "*";
}

struct PoolSums {
  std::int64_t size = 0;
  std::int64_t open = 0;
  std::int64_t idle = 0;
  std::int64_t waiting = 0;
};

void add_pools(const Runtime& runtime, Exposition& out) {
  using Key = std::tuple<std::string, std::string, std::string>;
  std::map<Key, PoolSums> sums;
  for (const PoolStats& pool : runtime.broker.stats()) {
    const std::string section = section_of(*runtime.config, pool.key.database);
    Key key(pool.key.node, section, pool.key.user);
    if (sums.size() >= kMaxPoolSeries && !sums.contains(key)) {
      key = Key(pool.key.node, section, StatisticsBook::kOthers);
    }
    PoolSums& sum = sums[key];
    sum.size += static_cast<std::int64_t>(pool.size);
    sum.open += static_cast<std::int64_t>(pool.total);
    sum.idle += static_cast<std::int64_t>(pool.idle);
    sum.waiting += static_cast<std::int64_t>(pool.waiting);
  }
  for (const auto& [key, sum] : sums) {
    const auto& [node, database, user] = key;
    const Exposition::Labels labels{{"node", node}, {"database", database}, {"user", user}};
    out.gauge("postern_pool_size", sum.size, labels);
    out.gauge("postern_pool_open", sum.open, labels);
    out.gauge("postern_pool_idle", sum.idle, labels);
    out.gauge("postern_pool_waiting", sum.waiting, labels);
  }
}

// One connection may have several reasons.
void add_pins(const Metrics& metrics, Exposition& out) {
  for (std::size_t i = 0; i < kPinWords.size(); ++i) {
    out.gauge("postern_pinned_servers", metrics.pinned[i].value(),
              {{"reason", std::string(kPinWords[i].word)}});
  }
}

void add_databases(const Runtime& runtime, Exposition& out) {
  std::map<std::string, StatValues> sums;
  for (const auto& [key, values] : runtime.statistics.traffic()) {
    StatValues& sum = sums[section_of(*runtime.config, key.first)];
    for (std::size_t i = 0; i < kStats; ++i) sum[i] += values[i];
  }
  for (const auto& [database, values] : sums) {
    const Exposition::Labels labels{{"database", database}};
    out.counter("postern_database_transactions_total", of(values, Stat::kXacts), labels);
    out.counter("postern_database_statements_total", of(values, Stat::kQueries), labels);
    out.counter("postern_database_received_bytes_total", of(values, Stat::kReceived), labels);
    out.counter("postern_database_sent_bytes_total", of(values, Stat::kSent), labels);
    out.counter("postern_database_errors_total", of(values, Stat::kErrors), labels);
  }
}

void add_times(const Runtime& runtime, Exposition& out) {
  constexpr const char* kNames[] = {"postern_proxy_seconds", "postern_queue_seconds",
                                    "postern_server_seconds"};
  for (const auto& [database, spans] : runtime.statistics.times()) {
    for (std::size_t i = 0; i < kSpans; ++i) {
      out.histogram(kNames[i], spans[i].buckets, spans[i].sum, {{"database", database}});
    }
  }
}

// Unknown counts as reachable: where [service] is absent nobody ever asks.
bool reachable(const ClusterState& state) {
  return std::any_of(state.nodes.begin(), state.nodes.end(),
                     [](const NodeState& node) { return node.role != NodeRole::kDown; });
}

void add_alerts(Exposition& out) {
  const AlertCounts counts = alert_counts();
  for (const auto& [rule, count] : counts.by_rule) {
    out.counter("postern_violations_total", count, {{"rule", rule}});
  }
  out.counter("postern_alerts_held_back_total", counts.held_back);
  out.counter("postern_alerts_sent_total", counts.sent);
  out.counter("postern_alerts_failed_total", counts.failed);
  out.counter("postern_alerts_dropped_total", counts.dropped);
}

}  // namespace

std::string scrape(Runtime& runtime) {
  Exposition out;
  expose(runtime.metrics, out);
  out.gauge("postern_ready", not_ready(runtime).empty() ? 1 : 0);
  add_pools(runtime, out);
  add_pins(runtime.metrics, out);
  add_databases(runtime, out);
  add_times(runtime, out);
  add_alerts(out);
  return out.text();
}

std::vector<std::string> not_ready(const Runtime& runtime) {
  std::vector<std::string> reasons;
  if (runtime.stopping) reasons.emplace_back("stopping");
  if (runtime.audit != nullptr && runtime.audit->state() != audit::LogState::kRunning) {
    reasons.emplace_back("the access log cannot be written");
  }
  for (const Cluster* cluster : runtime.databases.clusters()) {
    if (reachable(*cluster->state())) continue;
    reasons.push_back("no node of cluster " + cluster->name() + " answers");
  }
  for (const Database* database : runtime.databases.databases()) {
    const auto protection = database->protection();
    if (protection == nullptr || !protection->is_protected || !protection->blocked) continue;
    reasons.push_back("database " + database->name() +
                      " is blocked: " + pst_label(protection->blocked->code));
  }
  return reasons;
}

}  // namespace postern::proxy
