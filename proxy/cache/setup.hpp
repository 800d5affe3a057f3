// What a result cache is built from.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/secret.hpp"
#include "config/options_run.hpp"
#include "proxy/net/asio.hpp"
#include "proxy/sinks/metrics.hpp"

namespace postern::proxy {

/// Durations of the cache; the defaults are the product's, tests shorten them.
struct CacheTimings {
  using Millis = std::chrono::milliseconds;
  Millis lookup_deadline{5};   ///< a lookup or store that takes longer is a miss
  Millis write_deadline{100};  ///< one attempt at marking or bumping
  Millis bump_patience{500};   ///< attempts at bumping before hits are given up here
  Millis connect_timeout{1'000};
  Millis mark_lease{60'000};   ///< life of the mark of a write whose end is never reported
  Millis writer_lease{5'000};  ///< life of an instance's registration in Redis, renewed at a third
  Millis breaker_pause{250};   ///< Redis is left alone for so long after repeated failures
};

struct CacheClock {
  std::function<SteadyClock::time_point()> now = [] { return SteadyClock::now(); };
  std::function<std::uint64_t()> unix_millis = [] {
    const auto since = std::chrono::system_clock::now().time_since_epoch();
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(since).count());
  };
};

struct CacheSetup {
  config::CacheOptions options;
  /// Names and seals derive from it. Instances that share a Redis need the same 32 bytes or more;
  /// a cache in this process takes crypto::random_secret(32).
  Secret secret;
  /// Name of this instance among those that share a Redis, the same after a restart, unique at any
  /// time (host name and listening port, say). 1 to 200 bytes; not used without Redis.
  std::string instance;
  Metrics* metrics = nullptr;  ///< outlives the cache
  CacheTimings timings;
  CacheClock clock;
};

/// A setup from the file's section (password included, rules not: they are the caller's). The
/// caller adds the secret and, with Redis, the instance.
inline CacheSetup make_cache_setup(const config::CacheOptions& options, Metrics* metrics) {
  CacheSetup setup;
  setup.options.redis = options.redis;
  setup.options.redis_password = options.redis_password.clone();
  setup.options.ttl = options.ttl;
  setup.options.max_entry_bytes = options.max_entry_bytes;
  setup.options.max_bytes = options.max_bytes;
  setup.metrics = metrics;
  return setup;
}

}  // namespace postern::proxy
