// Every metric Postern exports: the table behind /metrics and docs/metrics.md. Names are an
// interface: alert rules and dashboards refer to them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace postern::proxy {

enum class MetricKind : std::uint8_t { kCounter, kGauge, kHistogram };

struct MetricRow {
  std::string_view name;  ///< with unit and, for counters, `_total`, as Prometheus wants it
  MetricKind kind;
  std::string_view labels;  ///< names, comma separated; empty: none
  std::string_view help;    ///< one line, no trailing dot
};

std::span<const MetricRow> metric_rows();
/// Null: there is no such metric.
const MetricRow* find_metric(std::string_view name);

/// The page docs/metrics.md.
std::string metrics_document();

}  // namespace postern::proxy
