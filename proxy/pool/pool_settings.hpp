// What the configuration says about one pool.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

namespace postern::proxy {

using SteadyTime = std::chrono::steady_clock::time_point;

/// Sizes count server connections; 0 means "none" for minimum and reserve, "no limit" for the
/// caps across pools. Durations of 0 mean "never", but for the reserve: "at once".
struct PoolSettings {
  using Millis = std::chrono::milliseconds;

  std::string login;  ///< of the client whose keys these are
  std::size_t pool_size = 1;
  std::size_t min_pool_size = 0;      ///< kept open once the pool was used
  std::size_t reserve_pool_size = 0;  ///< beyond pool_size, for who waited `reserve_timeout`
  Millis reserve_timeout{5'000};
  std::size_t max_db_connections = 0;    ///< of the database, over all nodes and users
  std::size_t max_user_connections = 0;  ///< of the upstream login, over all pools
  Millis server_lifetime{0};             ///< closed when older, ±20 %, one after the other
  Millis server_idle_timeout{0};         ///< closed when unused for longer
  Millis login_retry{1'000};             ///< longest pause between attempts at a failing server
};

}  // namespace postern::proxy
