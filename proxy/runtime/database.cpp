#include "proxy/runtime/database.hpp"

#include <algorithm>
#include <utility>

#include "proxy/net/socket_file.hpp"

namespace postern::proxy {
namespace {

TlsMode tls_mode(config::UpstreamTlsMode mode) {
  switch (mode) {
    case config::UpstreamTlsMode::kDisable:
      return TlsMode::kDisable;
    case config::UpstreamTlsMode::kAllow:
      return TlsMode::kAllow;
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
    if (node.is_unix()) endpoint.path = socket_path(node.host, node.port);
    cluster->nodes_.push_back(std::move(endpoint));
  }
  if (options.tls.mode != config::UpstreamTlsMode::kDisable) {
    TlsClientSettings settings;
    settings.mode = tls_mode(options.tls.mode);
    settings.ca_file = options.tls.ca_file.path;
    settings.cert_file = options.tls.cert_file.path;
    settings.key_file = options.tls.key_file.path;
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
  target.timeout = options_->connect_timeout;
  target.md5 = weak_method(options_->allow_md5);
  target.cleartext = weak_method(options_->allow_cleartext);
  target.minor = options_->protocol == config::ServerProtocol::k32 ? 2 : 0;
  if (node.is_unix()) return target;  // never encrypted, as with libpq
  target.tls = tls_;
  target.tls_mode = tls_mode(options_->tls.mode);
  return target;
}

std::optional<std::size_t> Cluster::likely_primary(const ClusterState& seen) const {
  const std::size_t writable = writable_.load(std::memory_order_relaxed);
  std::optional<std::size_t> first;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const NodeRole role = seen.nodes[i].role;
    if (role == NodeRole::kPrimary) return i;
    if (role == NodeRole::kUnknown && (!first || i == writable)) first = i;
  }
  return first;
}

std::vector<Endpoint> Cluster::primary_candidates() const {
  const auto seen = state();
  const auto likely = likely_primary(*seen);
  if (!likely) return nodes_;
  std::vector<Endpoint> candidates{nodes_[*likely]};
  if (seen->nodes[*likely].role == NodeRole::kPrimary) return candidates;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    if (i != *likely && seen->nodes[i].role == NodeRole::kUnknown) candidates.push_back(nodes_[i]);
  }
  return candidates;
}

void Cluster::found(const Endpoint& node, bool writable) {
  const auto it = std::find(nodes_.begin(), nodes_.end(), node);
  if (it == nodes_.end()) return;
  auto index = static_cast<std::size_t>(it - nodes_.begin());
  if (writable) {
    writable_.store(index, std::memory_order_relaxed);
  } else {
    writable_.compare_exchange_strong(index, kNone, std::memory_order_relaxed);
  }
}

std::shared_ptr<const FreshSession> Database::fresh_session(const std::string& user) const {
  const std::lock_guard lock(fresh_mutex_);
  const auto it = fresh_.find(user);
  return it == fresh_.end() ? nullptr : it->second;
}

void Database::remember(const std::string& user, FreshSession session) {
  auto shared = std::make_shared<const FreshSession>(std::move(session));
  const std::lock_guard lock(fresh_mutex_);
  fresh_.insert_or_assign(user, std::move(shared));
}

std::shared_ptr<const Welcome> Database::welcome(const std::string& user,
                                                 const Settings& settings) const {
  const std::lock_guard lock(fresh_mutex_);
  const auto fresh = fresh_.find(user);
  const auto known = welcomes_.find({user, settings});
  if (fresh == fresh_.end() || known == welcomes_.end()) return nullptr;
  return known->second->fresh == fresh->second->parameters.digest() ? known->second : nullptr;
}

void Database::remember(const std::string& user, const Settings& settings, Welcome welcome) {
  auto shared = std::make_shared<const Welcome>(std::move(welcome));
  const std::lock_guard lock(fresh_mutex_);
  if (welcomes_.size() >= kMaxWelcomes) welcomes_.clear();
  welcomes_.insert_or_assign({user, settings}, std::move(shared));
}

bool Cluster::has(const Endpoint& node) const {
  return std::find(nodes_.begin(), nodes_.end(), node) != nodes_.end();
}

void Cluster::inherit(const Cluster& former) {
  const auto known = former.state();
  auto state = std::make_shared<ClusterState>();
  bool any = false;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    state->nodes.emplace_back();
    const auto same = std::find(former.nodes_.begin(), former.nodes_.end(), nodes_[i]);
    if (same == former.nodes_.end()) continue;
    any = true;
    const auto index = static_cast<std::size_t>(same - former.nodes_.begin());
    state->nodes[i] = known->nodes.at(index);
    if (known->primary == index) state->primary = i;
  }
  if (!any) return;  // other servers altogether: nothing of the old ones binds them
  state->system_identifier = known->system_identifier;
  state->timeline = known->timeline;
  state->switch_lsn = known->switch_lsn;
  state->segment_bytes = known->segment_bytes;
  publish(std::move(state));
}

Status DatabaseDirectory::open(const config::Config& config) {
  POSTERN_ASSIGN(Prepared prepared, prepare(config, {}));
  adopt(std::move(prepared));
  return ok();
}

Result<DatabaseDirectory::Prepared> DatabaseDirectory::prepare(
    const config::Config& config, const std::set<std::string>& changed) {
  std::set<std::string> known;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& entry : clusters_) known.insert(entry.first);
  }
  Prepared prepared;
  prepared.config = &config;
  for (const auto& [name, options] : config.clusters) {
    if (known.contains(name) && !changed.contains(name)) continue;
    POSTERN_ASSIGN(auto cluster, Cluster::make(name, options));
    prepared.fresh.emplace(name, std::move(cluster));
  }
  return prepared;
}

DatabaseDirectory::Adopted DatabaseDirectory::adopt(Prepared prepared) {
  Adopted out;
  const std::lock_guard lock(mutex_);
  config_ = prepared.config;
  adopt_clusters(prepared, out);
  for (auto it = databases_.begin(); it != databases_.end();) {
    if (adopt_database(*it->second, out)) {
      ++it;
    } else {
      former_databases_.push_back(std::move(it->second));
      it = databases_.erase(it);
    }
  }
  return out;
}

void DatabaseDirectory::adopt_clusters(Prepared& prepared, Adopted& out) {
  for (auto it = clusters_.begin(); it != clusters_.end();) {
    const bool stays = config_->clusters.contains(it->first);
    if (stays && !prepared.fresh.contains(it->first)) {
      ++it;
      continue;
    }
    if (stays) prepared.fresh.at(it->first)->inherit(*it->second);
    former_clusters_.push_back(std::move(it->second));
    it = clusters_.erase(it);
  }
  for (auto& [name, cluster] : prepared.fresh) {
    out.fresh.push_back(cluster.get());
    clusters_.emplace(name, std::move(cluster));
  }
}

// False: the name is gone, or leads elsewhere from now on.
bool DatabaseDirectory::adopt_database(Database& database, Adopted& out) {
  const config::DatabaseOptions* next = config::find_database(*config_, database.name());
  const config::DatabaseOptions& now = database.options();
  const bool same_place = next != nullptr && next->cluster == now.cluster &&
                          config::upstream_database(*next, database.name()) == database.upstream();
  if (!same_place) {
    out.retired.push_back(&database);
    return false;
  }
  Cluster* cluster = clusters_.at(next->cluster).get();
  const bool same_way = cluster == database.cluster_ && next->user == now.user &&
                        next->pool_mode == now.pool_mode &&
                        next->password.reveal() == now.password.reveal();
  if (!same_way) out.reopened.push_back(&database);
  database.options_ = next;
  database.cluster_ = cluster;
  return true;
}

Database* DatabaseDirectory::find(const std::string& name) {
  const std::lock_guard lock(mutex_);
  const config::DatabaseOptions* options = config::find_database(*config_, name);
  if (options == nullptr) return nullptr;
  const auto cluster = clusters_.find(options->cluster);
  if (cluster == clusters_.end()) return nullptr;
  const auto known = databases_.find(name);
  if (known != databases_.end()) return known->second.get();
  if (databases_.size() >= kMaxDatabases) return nullptr;
  std::string upstream = config::upstream_database(*options, name);
  auto& changes = schema_changes_[{options->cluster, upstream}];
  if (changes == nullptr) changes = std::make_shared<std::atomic<std::uint64_t>>(0);
  auto database = std::make_unique<Database>(name, *options, cluster->second.get(),
                                             std::move(upstream), changes);
  return databases_.emplace(name, std::move(database)).first->second.get();
}

std::vector<Cluster*> DatabaseDirectory::clusters() const {
  const std::lock_guard lock(mutex_);
  std::vector<Cluster*> all;
  for (const auto& entry : clusters_) all.push_back(entry.second.get());
  return all;
}

std::vector<Database*> DatabaseDirectory::databases() const {
  const std::lock_guard lock(mutex_);
  std::vector<Database*> all;
  for (const auto& entry : databases_) all.push_back(entry.second.get());
  return all;
}

}  // namespace postern::proxy
