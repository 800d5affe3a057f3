// Databases and clusters as the process knows them at run time.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "config/options.hpp"
#include "proxy/net/endpoint.hpp"
#include "proxy/net/tls_context.hpp"
#include "proxy/route/cluster_state.hpp"
#include "proxy/runtime/protection.hpp"
#include "proxy/session/upstream_login.hpp"

namespace postern::proxy {

/// One [cluster.NAME]: its nodes and what the monitor last saw of them.
class Cluster {
 public:
  static Result<std::unique_ptr<Cluster>> make(std::string name,
                                               const config::ClusterOptions& options);

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const std::vector<Endpoint>& nodes() const { return nodes_; }
  [[nodiscard]] const config::ClusterOptions& options() const { return *options_; }
  /// A target with this cluster's TLS and timeouts; database, user, password are the caller's.
  [[nodiscard]] UpstreamTarget target(const Endpoint& node) const;
  /// The primary as last seen; where roles are still unknown, the nodes that may be it.
  [[nodiscard]] std::vector<Endpoint> primary_candidates() const;

  /// Latest state of the nodes; any thread. Initially every role is unknown.
  [[nodiscard]] std::shared_ptr<const ClusterState> state() const { return state_.load(); }
  void publish(std::shared_ptr<const ClusterState> state) { state_.store(std::move(state)); }

 private:
  Cluster() = default;
  std::string name_;
  const config::ClusterOptions* options_ = nullptr;  ///< outlived by the configuration
  std::vector<Endpoint> nodes_;
  std::shared_ptr<const TlsContext> tls_;
  std::atomic<std::shared_ptr<const ClusterState>> state_;
};

/// One database as clients name it.
class Database {
 public:
  Database(std::string name, const config::DatabaseOptions& options, Cluster* cluster,
           std::string upstream)
      : name_(std::move(name)),
        options_(&options),
        cluster_(cluster),
        upstream_(std::move(upstream)) {}

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const config::DatabaseOptions& options() const { return *options_; }
  [[nodiscard]] Cluster& cluster() const { return *cluster_; }
  /// Its name on the server.
  [[nodiscard]] const std::string& upstream() const { return upstream_; }

  /// Null until the catalog keeper published the first snapshot; any thread.
  [[nodiscard]] std::shared_ptr<const Protection> protection() const { return protection_.load(); }
  void publish(std::shared_ptr<const Protection> protection) {
    protection_.store(std::move(protection));
  }

 private:
  std::string name_;
  const config::DatabaseOptions* options_;
  Cluster* cluster_;
  std::string upstream_;
  std::atomic<std::shared_ptr<const Protection>> protection_;
};

/// All databases asked for so far. Thread-safe; a Database lives as long as the directory.
class DatabaseDirectory {
 public:
  /// Builds the clusters of the configuration, which must outlive the directory.
  Status open(const config::Config& config);
  /// The database a client names; null where the configuration serves none of that name, or where
  /// more than kMaxDatabases names were asked for.
  Database* find(const std::string& name);
  [[nodiscard]] const std::map<std::string, std::unique_ptr<Cluster>, std::less<>>& clusters()
      const {
    return clusters_;
  }

  /// Under "*" a client chooses names freely; each costs memory for good.
  static constexpr std::size_t kMaxDatabases = 10'000;

 private:
  const config::Config* config_ = nullptr;
  std::map<std::string, std::unique_ptr<Cluster>, std::less<>> clusters_;
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<Database>, std::less<>> databases_;
};

}  // namespace postern::proxy
