// Databases and clusters as the process knows them at run time.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "config/options.hpp"
#include "proxy/net/endpoint.hpp"
#include "proxy/net/tls_context.hpp"
#include "proxy/pool/session_settings.hpp"
#include "proxy/route/cluster_state.hpp"
#include "proxy/runtime/protection.hpp"
#include "proxy/session/upstream_login.hpp"

namespace postern::proxy {

/// One [cluster.NAME] as one configuration has it: its nodes and what the monitor last saw of them.
/// A reload that changes it makes another Cluster, and Database::cluster() names the latest: take
/// it once where nodes and their state must belong together.
class Cluster {
 public:
  /// `options` must live as long as the process. Reads the files of its TLS.
  static Result<std::unique_ptr<Cluster>> make(std::string name,
                                               const config::ClusterOptions& options);

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const std::vector<Endpoint>& nodes() const { return nodes_; }
  [[nodiscard]] bool has(const Endpoint& node) const;
  [[nodiscard]] const config::ClusterOptions& options() const { return *options_; }
  /// A target with this cluster's TLS and timeouts; database, user, password are the caller's.
  [[nodiscard]] UpstreamTarget target(const Endpoint& node) const;
  /// The primary as last seen; where roles are still unknown, the nodes that may be it, the one
  /// last found writable first.
  [[nodiscard]] std::vector<Endpoint> primary_candidates() const;
  /// The first of them by its place in nodes(); nullopt: every node is known to be none.
  [[nodiscard]] std::optional<std::size_t> likely_primary() const {
    return likely_primary(*state());
  }
  /// What a login at a node showed, for while roles are unknown. Any thread.
  void found(const Endpoint& node, bool writable);

  /// Latest state of the nodes; any thread. Initially every role is unknown.
  [[nodiscard]] std::shared_ptr<const ClusterState> state() const { return state_.load(); }
  void publish(std::shared_ptr<const ClusterState> state) { state_.store(std::move(state)); }
  /// Begins with what was known of the nodes that both have.
  void inherit(const Cluster& former);

 private:
  Cluster() = default;
  [[nodiscard]] std::optional<std::size_t> likely_primary(const ClusterState& seen) const;

  std::string name_;
  const config::ClusterOptions* options_ = nullptr;
  std::vector<Endpoint> nodes_;
  std::shared_ptr<const TlsContext> tls_;
  std::atomic<std::shared_ptr<const ClusterState>> state_;
  static constexpr std::size_t kNone = SIZE_MAX;
  std::atomic<std::size_t> writable_{kNone};  // the node last found so
};

/// What a fresh server session of one login says of itself, so that a client can be welcomed
/// without one.
struct FreshSession {
  ReportedParameters parameters;
  std::string search_path;
};

/// The same under settings that clients come with.
struct Welcome {
  ReportedParameters parameters;
  std::string search_path;
  std::size_t fresh = 0;  ///< digest of what a session without them said then
};

/// One database as clients name it. Where it leads (the cluster's name, its name on the server)
/// never changes: a reload that changes that makes another Database.
class Database {
 public:
  /// Welcomes remembered; there are as many as the clients' drivers differ.
  static constexpr std::size_t kMaxWelcomes = 256;

  /// Counts statements that changed what others may select from; all names of one database on the
  /// servers share it.
  using SchemaChanges = std::shared_ptr<std::atomic<std::uint64_t>>;

  Database(std::string name, const config::DatabaseOptions& options, Cluster* cluster,
           std::string upstream, SchemaChanges schema_changes)
      : name_(std::move(name)),
        options_(&options),
        cluster_(cluster),
        upstream_(std::move(upstream)),
        schema_changes_(std::move(schema_changes)) {}

  [[nodiscard]] const std::string& name() const { return name_; }
  /// Its options in force; the reference is good for as long as the process lives.
  [[nodiscard]] const config::DatabaseOptions& options() const { return *options_.load(); }
  [[nodiscard]] Cluster& cluster() const { return *cluster_.load(); }
  /// Its name on the server.
  [[nodiscard]] const std::string& upstream() const { return upstream_; }

  /// Of the last server session opened for this login; null before the first. Any thread.
  [[nodiscard]] std::shared_ptr<const FreshSession> fresh_session(const std::string& user) const;
  void remember(const std::string& user, FreshSession session);
  /// What a server said to a client of this login with these settings; null where none did, or
  /// fresh sessions have come to say something else since. Any thread.
  [[nodiscard]] std::shared_ptr<const Welcome> welcome(const std::string& user,
                                                       const Settings& settings) const;
  void remember(const std::string& user, const Settings& settings, Welcome welcome);

  /// So far, and only those that went through Postern. Any thread.
  [[nodiscard]] std::uint64_t schema_changes() const {
    return schema_changes_->load(std::memory_order_relaxed);
  }
  void note_schema_change() { schema_changes_->fetch_add(1, std::memory_order_relaxed); }

  /// Null until the catalog keeper published the first snapshot; any thread.
  [[nodiscard]] std::shared_ptr<const Protection> protection() const {
    // It is asked several times a query, and an atomic shared_ptr is dear.
    return published_.load(std::memory_order_acquire) ? protection_.load() : nullptr;
  }
  void publish(std::shared_ptr<const Protection> protection) {
    protection_.store(std::move(protection));
    published_.store(true, std::memory_order_release);
  }

 private:
  friend class DatabaseDirectory;
  const std::string name_;
  std::atomic<const config::DatabaseOptions*> options_;
  std::atomic<Cluster*> cluster_;
  const std::string upstream_;
  std::atomic<std::shared_ptr<const Protection>> protection_;
  std::atomic<bool> published_{false};  // once true, protection_ may be other than null
  const SchemaChanges schema_changes_;
  mutable std::mutex fresh_mutex_;
  std::map<std::string, std::shared_ptr<const FreshSession>> fresh_;
  std::map<std::pair<std::string, Settings>, std::shared_ptr<const Welcome>> welcomes_;
};

/// All databases asked for so far. Thread-safe; a Database or Cluster lives as long as the
/// directory, also when a reload has replaced it.
class DatabaseDirectory {
 public:
  using Clusters = std::map<std::string, std::unique_ptr<Cluster>, std::less<>>;

  /// Clusters of a configuration that is not in force yet: all that can fail is behind it.
  struct Prepared {
    const config::Config* config = nullptr;
    Clusters fresh;  ///< those that are new or changed
  };
  /// What adopt() replaced.
  struct Adopted {
    std::vector<Cluster*> fresh;      ///< to be watched
    std::vector<Database*> retired;   ///< removed, or leading elsewhere now
    std::vector<Database*> reopened;  ///< other nodes, credentials or TLS: connections are outdated
  };

  /// Builds the clusters of the configuration, which must outlive the directory.
  Status open(const config::Config& config);
  /// `changed` names the clusters whose options or files changed. Errors: those of TlsContext.
  Result<Prepared> prepare(const config::Config& config, const std::set<std::string>& changed);
  Adopted adopt(Prepared prepared);

  /// The database a client names; null where the configuration serves none of that name, or where
  /// more than kMaxDatabases names were asked for.
  Database* find(const std::string& name);
  /// Those in force.
  [[nodiscard]] std::vector<Cluster*> clusters() const;
  [[nodiscard]] std::vector<Database*> databases() const;

  /// Under "*" a client chooses names freely; each costs memory for good.
  static constexpr std::size_t kMaxDatabases = 10'000;

 private:
  void adopt_clusters(Prepared& prepared, Adopted& out);
  bool adopt_database(Database& database, Adopted& out);

  mutable std::mutex mutex_;
  const config::Config* config_ = nullptr;
  Clusters clusters_;
  std::map<std::string, std::unique_ptr<Database>, std::less<>> databases_;
  std::map<std::pair<std::string, std::string>, Database::SchemaChanges> schema_changes_;
  std::vector<std::unique_ptr<Cluster>> former_clusters_;
  std::vector<std::unique_ptr<Database>> former_databases_;
};

}  // namespace postern::proxy
