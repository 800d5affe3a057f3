// Samples of the metric table as Prometheus text.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/sinks/metrics.hpp"

namespace postern::proxy {

/// Collects samples, then renders them in the order of the table. One thread.
class Exposition {
 public:
  using Labels = std::vector<std::pair<std::string, std::string>>;
  using Buckets = std::array<std::uint64_t, kLatencyEdges.size() + 1>;

  Exposition();
  Exposition(const Exposition&) = delete;
  Exposition& operator=(const Exposition&) = delete;
  ~Exposition();

  /// Precondition of all: the table has `name`, of that kind.
  void counter(std::string_view name, std::uint64_t value, Labels labels = {});
  void gauge(std::string_view name, std::int64_t value, Labels labels = {});
  /// Counts per bucket, not cumulative, and the sum of all values in microseconds.
  void histogram(std::string_view name, const Buckets& buckets, std::uint64_t sum_micros,
                 Labels labels = {});

  /// Text format 0.0.4.
  [[nodiscard]] std::string text() const;

 private:
  struct Families;
  std::unique_ptr<Families> families_;
};

/// Adds everything `metrics` holds.
void expose(const Metrics& metrics, Exposition& out);

}  // namespace postern::proxy
