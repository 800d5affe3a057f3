// What was refused, or would have been in mode `observe`, in sums: the console's SHOW REFUSALS.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "base/error.hpp"

namespace postern::proxy {

/// Refusals that differ in nothing a person would look for.
struct RefusalGroup {
  std::string database;
  std::string login;
  std::string application;
  std::string fingerprint;  ///< of the text's shape; empty: not analysed
  std::string code;         ///< "PST-1504"
  std::string rule;         ///< empty: none of the policy's
  bool observed = false;    ///< let pass, by mode `observe`

  friend auto operator<=>(const RefusalGroup&, const RefusalGroup&) = default;
};

struct RefusalSum {
  RefusalGroup group;
  std::uint64_t count = 0;
  std::int64_t first_us = 0;  ///< since 1970
  std::int64_t last_us = 0;
};

/// Sums since the start of the process. Thread-safe.
class Refusals {
 public:
  /// Further groups are summed up in one.
  static constexpr std::size_t kMaxGroups = 1000;
  /// As PostgreSQL cuts the names of applications.
  static constexpr std::size_t kMaxApplicationBytes = 63;
  /// The application's name in the sum of what has no group of its own.
  static constexpr const char* kOthers = "(others)";

  void note(RefusalGroup group, std::int64_t now_us);

  /// The most frequent first.
  [[nodiscard]] std::vector<RefusalSum> sums() const;

 private:
  struct Times {
    std::uint64_t count = 0;
    std::int64_t first_us = 0;
    std::int64_t last_us = 0;
  };

  mutable std::mutex mutex_;
  std::map<RefusalGroup, Times> groups_;
};

/// The one of the process.
Refusals& refusals();

}  // namespace postern::proxy
