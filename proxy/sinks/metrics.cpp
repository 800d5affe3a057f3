#include "proxy/sinks/metrics.hpp"

#include <algorithm>

namespace postern::proxy {

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

void ClassCounter::add(std::string_view sqlstate) {
  const auto is_letter = [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z'); };
  const bool well_formed =
      sqlstate.size() == 5 && std::all_of(sqlstate.begin(), sqlstate.end(), is_letter);
  std::string name(well_formed ? sqlstate.substr(0, 2) : "??");
  const std::lock_guard lock(mutex_);
  if (counts_.size() >= kMaxClasses && !counts_.contains(name)) name = "??";
  ++counts_[name];
}

std::map<std::string, std::uint64_t> ClassCounter::snapshot() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

}  // namespace postern::proxy
