// How many failed logins an address may have: a token bucket each, in a bounded table.
#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <mutex>
#include <string>
#include <unordered_map>

#include "config/address_range.hpp"

namespace postern::proxy {

struct FailureLimitOptions {
  std::uint32_t burst = 0;                ///< failures in a row before refusals; 0 = no limit
  std::chrono::milliseconds interval{1};  ///< after which one is forgiven
  std::size_t addresses = 65'536;         ///< most remembered; the one that failed longest ago goes
};

/// Thread-safe. Time comes in as a value. An IPv6 address counts by its first 64 bits: who has one
/// of them has them all.
class FailureLimit {
 public:
  using Time = std::chrono::steady_clock::time_point;

  explicit FailureLimit(FailureLimitOptions options) : options_(options) {}

  /// True while no login of this address may succeed: not even a right one, so that guesses sent
  /// side by side learn no more than guesses sent one by one.
  [[nodiscard]] bool blocks(const config::NetAddress& address, Time now);
  /// Takes note of a failed login.
  void note(const config::NetAddress& address, Time now);
  /// Addresses remembered at the moment.
  [[nodiscard]] std::size_t remembered() const;

 private:
  struct Entry {
    std::string key;
    Time forgiven;  ///< when the last of its failures is: `interval` for each of them
  };
  using Entries = std::list<Entry>;  // the one that failed last stands first

  FailureLimitOptions options_;
  mutable std::mutex mutex_;
  Entries entries_;
  std::unordered_map<std::string, Entries::iterator> by_key_;
};

}  // namespace postern::proxy
