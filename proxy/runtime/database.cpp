#include "proxy/runtime/database.hpp"

#include <utility>

namespace postern::proxy {
namespace {

TlsMode tls_mode(config::UpstreamTlsMode mode) {
  switch (mode) {
    case config::UpstreamTlsMode::kDisable:
      return TlsMode::kDisable;
    case config::UpstreamTlsMode::kPrefer:
      return TlsMode::kPrefer;
    case config::UpstreamTlsMode::kRequire:
      return TlsMode::kRequire;
    case config::UpstreamTlsMode::kVerifyCa:
      return TlsMode::kVerifyCa;
    case config::UpstreamTlsMode::kVerifyFull:
      return TlsMode::kVerifyFull;
  }
  return TlsMode::kVerifyFull;
}

protocol::WeakMethod weak_method(config::WeakAuth allowed) {
  switch (allowed) {
    case config::WeakAuth::kNever:
      return protocol::WeakMethod::kNever;
    case config::WeakAuth::kTls:
      return protocol::WeakMethod::kOverTls;
    case config::WeakAuth::kAlways:
      return protocol::WeakMethod::kAlways;
  }
  return protocol::WeakMethod::kNever;
}

}  // namespace

Result<std::unique_ptr<Cluster>> Cluster::make(std::string name,
                                               const config::ClusterOptions& options) {
  std::unique_ptr<Cluster> cluster(new Cluster);
  cluster->name_ = std::move(name);
  cluster->options_ = &options;
  for (const config::HostPort& node : options.nodes) {
    Endpoint endpoint;
    endpoint.host = node.host;
    endpoint.port = node.port;
    cluster->nodes_.push_back(std::move(endpoint));
  }
  if (options.tls.mode != config::UpstreamTlsMode::kDisable) {
    TlsClientSettings settings;
    settings.mode = tls_mode(options.tls.mode);
    settings.ca_file = options.tls.ca_file.path;
    POSTERN_ASSIGN(TlsContext context, TlsContext::client(settings));
    cluster->tls_ = std::make_shared<const TlsContext>(std::move(context));
  }
  auto state = std::make_shared<ClusterState>();
  state->nodes.resize(cluster->nodes_.size());
  cluster->publish(std::move(state));
  return cluster;
}

UpstreamTarget Cluster::target(const Endpoint& node) const {
  UpstreamTarget target;
  target.endpoint = node;
  target.tls = tls_;
  target.require_tls = options_->tls.mode > config::UpstreamTlsMode::kPrefer;
  target.timeout = options_->connect_timeout;
  target.md5 = weak_method(options_->allow_md5);
  target.cleartext = weak_method(options_->allow_cleartext);
  target.minor = options_->protocol == config::ServerProtocol::k32 ? 2 : 0;
  return target;
}

std::vector<Endpoint> Cluster::primary_candidates() const {
  const auto seen = state();
  std::vector<Endpoint> unknown;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    if (seen->nodes[i].role == NodeRole::kPrimary) return {nodes_[i]};
    if (seen->nodes[i].role == NodeRole::kUnknown) unknown.push_back(nodes_[i]);
  }
  return unknown.empty() ? nodes_ : unknown;
}

Status DatabaseDirectory::open(const config::Config& config) {
  config_ = &config;
  for (const auto& [name, options] : config.clusters) {
    POSTERN_ASSIGN(auto cluster, Cluster::make(name, options));
    clusters_.emplace(name, std::move(cluster));
  }
  return ok();
}

Database* DatabaseDirectory::find(const std::string& name) {
  const config::DatabaseOptions* options = config::find_database(*config_, name);
  if (options == nullptr) return nullptr;
  const auto cluster = clusters_.find(options->cluster);
  if (cluster == clusters_.end()) return nullptr;
  const std::lock_guard lock(mutex_);
  const auto known = databases_.find(name);
  if (known != databases_.end()) return known->second.get();
  if (databases_.size() >= kMaxDatabases) return nullptr;
  auto database = std::make_unique<Database>(name, *options, cluster->second.get(),
                                             config::upstream_database(*options, name));
  return databases_.emplace(name, std::move(database)).first->second.get();
}

}  // namespace postern::proxy
