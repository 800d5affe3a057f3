// What the configuration says about a pool: the login's keys before the database's, before
// [limits].
#pragma once

#include "config/options.hpp"
#include "proxy/pool/broker.hpp"
#include "proxy/pool/pool_settings.hpp"

namespace postern::proxy {

/// For clients of this login, whose options `user` are.
PoolSettings pool_settings(const config::LimitsOptions& limits,
                           const config::DatabaseOptions& database, const config::UserOptions& user,
                           const std::string& login);

/// pool_timeout and query_wait_notify; nobody to tell yet.
WaitLimits wait_limits(const config::LimitsOptions& limits);

/// Clients of one database and of one login; 0 = no limit.
struct ClientLimits {
  std::size_t database = 0;
  std::size_t login = 0;
};
ClientLimits client_limits(const config::LimitsOptions& limits,
                           const config::DatabaseOptions& database,
                           const config::UserOptions& user);

}  // namespace postern::proxy
