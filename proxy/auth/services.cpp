#include "proxy/auth/services.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace postern::proxy {

Result<std::shared_ptr<const AuthRules>> AuthServices::make_rules(
    const config::AuthOptions& options) {
  auto rules = std::make_shared<AuthRules>();
  POSTERN_TRY(rules->open(options));
  return std::shared_ptr<const AuthRules>(std::move(rules));
}

Result<std::shared_ptr<const IdentityServices>> AuthServices::make_identity(
    const config::IdentityOptions& options) {
  auto services = std::make_shared<IdentityServices>();
  POSTERN_TRY(services->maps.open(options.maps));
  if (options.jwt) {
    POSTERN_ASSIGN(services->tokens, TokenVerifier::open(*options.jwt));
  }
  return std::shared_ptr<const IdentityServices>(std::move(services));
}

Result<std::unique_ptr<AuthServices>> AuthServices::open(const config::Config& config) {
  const config::AuthOptions& options = config.auth;
  FailureLimitOptions limit;
  limit.burst = options.failure_burst;
  limit.interval = options.failure_interval;
  auto services = std::make_unique<AuthServices>(limit);
  POSTERN_ASSIGN(auto rules, make_rules(options));
  services->rules.store(std::move(rules));
  POSTERN_ASSIGN(auto identity, make_identity(config.identity));
  services->identity.store(std::move(identity));
  return services;
}

void AuthServices::start_query(const config::AuthOptions& options,
                               const DatabaseDirectory& databases, Worker* home) {
  if (!options.query) return;
  const std::vector<Cluster*> clusters = databases.clusters();
  if (clusters.empty()) return;
  const auto named = std::find_if(clusters.begin(), clusters.end(), [&](const Cluster* cluster) {
    return cluster->name() == options.query->cluster;
  });
  Cluster* cluster = named != clusters.end() ? *named : clusters.front();
  query = std::make_unique<AuthQuery>(&*options.query, cluster, home);
}

}  // namespace postern::proxy
