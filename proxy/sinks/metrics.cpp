#include "proxy/sinks/metrics.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

namespace postern::proxy {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

struct CounterRow {
  const char* name;
  const char* help;
  Counter Metrics::* counter;
};

// Names are an interface: alert rules and dashboards refer to them.
constexpr CounterRow kCounters[] = {
    {"postern_logins_ok_total", "Client logins that succeeded", &Metrics::logins_ok},
    {"postern_logins_failed_total", "Client logins that were refused", &Metrics::logins_failed},
    {"postern_statements_total", "Statements executed for clients", &Metrics::statements},
    {"postern_statements_failed_total", "Statements the server answered with an error",
     &Metrics::statements_failed},
    {"postern_routed_primary_total", "Statements sent to the primary", &Metrics::routed_primary},
    {"postern_routed_replica_total", "Statements sent to a replica", &Metrics::routed_replica},
    {"postern_replica_fallbacks_total", "Eligible reads that had to go to the primary",
     &Metrics::replica_fallbacks},
    {"postern_cache_hits_total", "Reads answered from the cache", &Metrics::cache_hits},
    {"postern_cache_misses_total", "Cacheable reads not found", &Metrics::cache_misses},
    {"postern_cache_fills_total", "Answers stored", &Metrics::cache_fills},
    {"postern_cache_invalidations_total", "Table versions bumped by writes",
     &Metrics::cache_invalidations},
    {"postern_cache_errors_total", "Cache store unreachable, slow or malformed",
     &Metrics::cache_errors},
    {"postern_values_encrypted_total", "Column values encrypted", &Metrics::values_encrypted},
    {"postern_values_decrypted_total", "Column values decrypted", &Metrics::values_decrypted},
    {"postern_decrypt_failures_total", "Column values that failed authentication or had no key",
     &Metrics::decrypt_failures},
    {"postern_audit_records_total", "Records handed to the access log", &Metrics::audit_records},
    {"postern_audit_failures_total", "Records the access log could not take",
     &Metrics::audit_failures},
    {"postern_servers_opened_total", "Server connections opened", &Metrics::servers_opened},
    {"postern_servers_closed_total", "Server connections closed", &Metrics::servers_closed},
    {"postern_cancels_total", "Cancel requests passed on", &Metrics::cancels},
    {"postern_analysis_hits_total", "Texts whose analysis was cached", &Metrics::analysis_hits},
    {"postern_analysis_misses_total", "Texts that were parsed", &Metrics::analysis_misses},
};

MetricFamily family(const char* name, const char* help, MetricType type) {
  MetricFamily result;
  result.name = name;
  result.help = help;
  result.type = type;
  return result;
}

MetricFamily counter_family(const Metrics& metrics, const CounterRow& row) {
  MetricFamily result = family(row.name, row.help, MetricType::Counter);
  ClientMetric value;
  value.counter.value = static_cast<double>((metrics.*row.counter).value());
  result.metric.push_back(std::move(value));
  return result;
}

MetricFamily gauge_family(const char* name, const char* help, const Gauge& gauge) {
  MetricFamily result = family(name, help, MetricType::Gauge);
  ClientMetric value;
  value.gauge.value = static_cast<double>(gauge.value());
  result.metric.push_back(std::move(value));
  return result;
}

MetricFamily code_family(const char* name, const char* help, const CodeCounter& counter) {
  MetricFamily result = family(name, help, MetricType::Counter);
  for (const auto& [code, count] : counter.snapshot()) {
    ClientMetric value;
    value.label.push_back({"code", pst_label(code)});
    value.counter.value = static_cast<double>(count);
    result.metric.push_back(std::move(value));
  }
  return result;
}

MetricFamily histogram_family(const char* name, const char* help, const Histogram& histogram) {
  constexpr double kMicrosPerSecond = 1e6;
  MetricFamily result = family(name, help, MetricType::Histogram);
  ClientMetric value;
  std::uint64_t cumulative = 0;
  for (std::size_t i = 0; i < kLatencyEdges.size(); ++i) {
    cumulative += histogram.bucket(i);
    value.histogram.bucket.push_back(
        {cumulative, static_cast<double>(kLatencyEdges[i]) / kMicrosPerSecond});
  }
  value.histogram.sample_count = histogram.count();
  value.histogram.sample_sum = static_cast<double>(histogram.sum_micros()) / kMicrosPerSecond;
  result.metric.push_back(std::move(value));
  return result;
}

}  // namespace

void Histogram::observe(std::uint64_t micros) noexcept {
  const auto* edge = std::lower_bound(kLatencyEdges.begin(), kLatencyEdges.end(), micros);
  buckets_[static_cast<std::size_t>(edge - kLatencyEdges.begin())].add();
  count_.add();
  sum_.add(micros);
}

void CodeCounter::add(Pst code) {
  const std::lock_guard lock(mutex_);
  ++counts_[code];
}

std::map<Pst, std::uint64_t> CodeCounter::snapshot() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

std::string render_metrics(const Metrics& metrics) {
  std::vector<MetricFamily> families;
  for (const CounterRow& row : kCounters) families.push_back(counter_family(metrics, row));
  families.push_back(gauge_family("postern_clients", "Connected clients", metrics.clients));
  families.push_back(code_family("postern_refusals_total",
                                 "Statements and sessions refused by Postern", metrics.refusals));
  families.push_back(code_family("postern_observed_refusals_total",
                                 "What would be refused outside observe mode", metrics.observed));
  families.push_back(histogram_family("postern_statement_seconds",
                                      "Time from request to last reply byte", metrics.latency));
  families.push_back(histogram_family("postern_pool_wait_seconds",
                                      "Time spent waiting for a server connection",
                                      metrics.pool_wait));
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace postern::proxy
