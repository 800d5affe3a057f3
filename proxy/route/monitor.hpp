// Watches the nodes of one cluster and publishes its state.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/options.hpp"
#include "proxy/keeper/service_connection.hpp"
#include "proxy/route/roles.hpp"

namespace postern::proxy {

/// Probes every node each poll interval through a service connection of its own, on the home
/// worker. Without [service] it does nothing and every role stays unknown. Configuration and
/// cluster must outlive it; it must outlive the home worker's sessions.
class Monitor {
 public:
  /// Between probes without [routing].
  static constexpr std::chrono::milliseconds kDefaultInterval{1'000};
  /// A node that takes longer to answer is down.
  static constexpr std::chrono::milliseconds kProbeTimeout{2'000};

  Monitor(const config::Config* config, Cluster* cluster, Worker* home);
  Monitor(const Monitor&) = delete;
  Monitor& operator=(const Monitor&) = delete;
  ~Monitor();

  /// Starts watching; once. Any thread, best before the first client.
  void start();
  /// Ends the watch for good: nothing is published any more once the home worker has seen it. The
  /// monitor itself stays until the home worker's sessions are gone. Any thread.
  void stop();

  /// Databases to probe in, best first: the upstream names of the cluster's configured databases,
  /// then "postgres". One that does not exist is passed over.
  static std::vector<std::string> probe_databases(const config::Config& config,
                                                  std::string_view cluster);

 private:
  struct Node;

  Task<void> watch(std::size_t index);
  Task<NodeReport> probe(std::size_t index);
  NodeReport failed(Node& node, const Error& error);
  void publish();
  void tell(const ClusterState& before, const RoleVerdict& verdict);

  const config::Config* config_;
  Cluster* cluster_;
  Worker* home_;
  std::chrono::milliseconds interval_ = kDefaultInterval;
  std::vector<std::string> databases_;
  std::vector<std::unique_ptr<Node>> nodes_;
  bool stopped_ = false;     // home's thread
  std::size_t unasked_ = 0;  ///< nodes that have not been probed once: nothing is published before
};

}  // namespace postern::proxy
