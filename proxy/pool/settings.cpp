#include "proxy/pool/settings.hpp"

namespace postern::proxy {
namespace {

// 0 in a section means: what the section above says.
std::uint32_t first_given(std::uint32_t own, std::uint32_t above) {
  return own != 0 ? own : above;
}

}  // namespace

PoolSettings pool_settings(const config::LimitsOptions& limits,
                           const config::DatabaseOptions& database, const config::UserOptions& user,
                           const std::string& login) {
  PoolSettings settings;
  settings.login = login;
  settings.pool_size = first_given(user.pool_size, database.pool_size);
  settings.min_pool_size = database.min_pool_size;
  settings.reserve_pool_size = database.reserve_pool_size;
  settings.reserve_timeout = limits.reserve_pool_timeout;
  settings.max_db_connections = first_given(database.max_db_connections, limits.max_db_connections);
  settings.max_user_connections =
      first_given(user.max_user_connections, limits.max_user_connections);
  settings.server_lifetime = limits.server_lifetime;
  settings.server_idle_timeout = limits.server_idle_timeout;
  settings.login_retry = limits.server_login_retry;
  return settings;
}

WaitLimits wait_limits(const config::LimitsOptions& limits) {
  WaitLimits wait;
  wait.timeout = limits.pool_timeout;
  wait.notify_after = limits.query_wait_notify;
  return wait;
}

ClientLimits client_limits(const config::LimitsOptions& limits,
                           const config::DatabaseOptions& database,
                           const config::UserOptions& user) {
  return {first_given(database.max_db_client_connections, limits.max_db_client_connections),
          first_given(user.max_user_client_connections, limits.max_user_client_connections)};
}

}  // namespace postern::proxy
