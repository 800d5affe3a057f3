#include "proxy/auth/services.hpp"

#include <utility>

namespace postern::proxy {

Result<std::unique_ptr<AuthServices>> AuthServices::open(const config::AuthOptions& options) {
  FailureLimitOptions limit;
  limit.burst = options.failure_burst;
  limit.interval = options.failure_interval;
  auto services = std::make_unique<AuthServices>(limit);
  POSTERN_TRY(services->rules.open(options));
  return services;
}

void AuthServices::start_query(const config::AuthOptions& options,
                               const DatabaseDirectory& databases, Worker* home) {
  if (!options.query) return;
  const auto& clusters = databases.clusters();
  const auto named = clusters.find(options.query->cluster);
  const auto cluster = named != clusters.end() ? named : clusters.begin();
  if (cluster == clusters.end()) return;
  query = std::make_unique<AuthQuery>(&*options.query, cluster->second.get(), home);
}

}  // namespace postern::proxy
