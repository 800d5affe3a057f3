#include "proxy/sinks/exposition.hpp"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include "base/check.hpp"
#include "proxy/sinks/metric_table.hpp"

namespace postern::proxy {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

constexpr double kMicrosPerSecond = 1e6;

MetricType type_of(MetricKind kind) {
  switch (kind) {
    case MetricKind::kGauge:
      return MetricType::Gauge;
    case MetricKind::kHistogram:
      return MetricType::Histogram;
    case MetricKind::kCounter:
      break;
  }
  return MetricType::Counter;
}

struct CounterRow {
  const char* name;
  Counter Metrics::* counter;
};

constexpr CounterRow kCounters[] = {
    {"postern_logins_ok_total", &Metrics::logins_ok},
    {"postern_logins_failed_total", &Metrics::logins_failed},
    {"postern_statements_total", &Metrics::statements},
    {"postern_statements_failed_total", &Metrics::statements_failed},
    {"postern_routed_primary_total", &Metrics::routed_primary},
    {"postern_routed_replica_total", &Metrics::routed_replica},
    {"postern_replica_fallbacks_total", &Metrics::replica_fallbacks},
    {"postern_cache_hits_total", &Metrics::cache_hits},
    {"postern_cache_misses_total", &Metrics::cache_misses},
    {"postern_cache_fills_total", &Metrics::cache_fills},
    {"postern_cache_invalidations_total", &Metrics::cache_invalidations},
    {"postern_cache_errors_total", &Metrics::cache_errors},
    {"postern_values_encrypted_total", &Metrics::values_encrypted},
    {"postern_values_decrypted_total", &Metrics::values_decrypted},
    {"postern_decrypt_failures_total", &Metrics::decrypt_failures},
    {"postern_audit_records_total", &Metrics::audit_records},
    {"postern_audit_failures_total", &Metrics::audit_failures},
    {"postern_servers_opened_total", &Metrics::servers_opened},
    {"postern_servers_closed_total", &Metrics::servers_closed},
    {"postern_cancels_total", &Metrics::cancels},
    {"postern_peer_cancels_total", &Metrics::peer_cancels},
    {"postern_analysis_hits_total", &Metrics::analysis_hits},
    {"postern_analysis_shapes_total", &Metrics::analysis_shapes},
    {"postern_analysis_misses_total", &Metrics::analysis_misses},
};

void add_histogram(const char* name, const Histogram& histogram, Exposition& out) {
  Exposition::Buckets buckets{};
  for (std::size_t i = 0; i < buckets.size(); ++i) buckets[i] = histogram.bucket(i);
  out.histogram(name, buckets, histogram.sum_micros());
}

}  // namespace

struct Exposition::Families {
  std::map<std::string_view, MetricFamily> by_name;

  ClientMetric& add(std::string_view name, MetricKind kind, Labels labels) {
    const MetricRow* row = find_metric(name);
    POSTERN_CHECK(row != nullptr && row->kind == kind);
    MetricFamily& family = by_name[row->name];
    family.name = row->name;
    family.help = row->help;
    family.type = type_of(kind);
    ClientMetric& metric = family.metric.emplace_back();
    for (auto& [label, value] : labels) metric.label.push_back({label, std::move(value)});
    return metric;
  }
};

Exposition::Exposition() : families_(std::make_unique<Families>()) {}
Exposition::~Exposition() = default;

void Exposition::counter(std::string_view name, std::uint64_t value, Labels labels) {
  families_->add(name, MetricKind::kCounter, std::move(labels)).counter.value =
      static_cast<double>(value);
}

void Exposition::gauge(std::string_view name, std::int64_t value, Labels labels) {
  families_->add(name, MetricKind::kGauge, std::move(labels)).gauge.value =
      static_cast<double>(value);
}

void Exposition::histogram(std::string_view name, const Buckets& buckets, std::uint64_t sum_micros,
                           Labels labels) {
  auto& into = families_->add(name, MetricKind::kHistogram, std::move(labels)).histogram;
  std::uint64_t cumulative = 0;
  for (std::size_t i = 0; i < kLatencyEdges.size(); ++i) {
    cumulative += buckets[i];
    into.bucket.push_back({cumulative, static_cast<double>(kLatencyEdges[i]) / kMicrosPerSecond});
  }
  // Buckets and count are read one after the other while they grow: the sum is what fits.
  into.sample_count = cumulative + buckets.back();
  into.sample_sum = static_cast<double>(sum_micros) / kMicrosPerSecond;
}

std::string Exposition::text() const {
  std::vector<MetricFamily> ordered;
  for (const MetricRow& row : metric_rows()) {
    const auto found = families_->by_name.find(row.name);
    if (found != families_->by_name.end()) ordered.push_back(found->second);
  }
  return prometheus::TextSerializer().Serialize(ordered);
}

void expose(const Metrics& metrics, Exposition& out) {
  out.gauge("postern_info", 1, {{"version", POSTERN_VERSION}});
  out.gauge("postern_clients", metrics.clients.value());
  for (const CounterRow& row : kCounters) out.counter(row.name, (metrics.*row.counter).value());
  for (const auto& [code, count] : metrics.refusals.snapshot()) {
    out.counter("postern_refusals_total", count, {{"code", pst_label(code)}});
  }
  for (const auto& [code, count] : metrics.observed.snapshot()) {
    out.counter("postern_observed_refusals_total", count, {{"code", pst_label(code)}});
  }
  for (const auto& [name, count] : metrics.server_errors.snapshot()) {
    out.counter("postern_server_errors_total", count, {{"class", name}});
  }
  add_histogram("postern_statement_seconds", metrics.latency, out);
  add_histogram("postern_pool_wait_seconds", metrics.pool_wait, out);
}

}  // namespace postern::proxy
