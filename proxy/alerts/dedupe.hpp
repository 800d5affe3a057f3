// Which alerts are told now, and which only counted.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>

namespace postern::proxy {

/// One thread; time comes in as a value.
class AlertDedupe {
 public:
  using Time = std::chrono::steady_clock::time_point;
  /// Pairs remembered. Beyond it those that are over go, and where none is, the new one is told
  /// without being remembered once in `repeat_after` for all of them.
  static constexpr std::size_t kMaxKeys = 10'000;

  explicit AlertDedupe(std::chrono::milliseconds repeat_after) : repeat_after_(repeat_after) {}

  /// The times it was held back since it was told last; nullopt: held back now.
  std::optional<std::uint64_t> admit(const std::string& rule, const std::string& fingerprint,
                                     Time now);
  [[nodiscard]] std::size_t remembered() const { return entries_.size(); }

 private:
  struct Entry {
    Time told;
    std::uint64_t held = 0;
  };
  std::optional<std::uint64_t> admit_entry(Entry& entry, Time now) const;

  std::chrono::milliseconds repeat_after_;
  std::unordered_map<std::string, Entry> entries_;
  std::optional<Entry> others_;
};

}  // namespace postern::proxy
