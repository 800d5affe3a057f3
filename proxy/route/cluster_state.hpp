// What is known of a cluster's nodes: written by the monitor, read by every session. Immutable.
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

namespace postern::proxy {

enum class NodeRole : std::uint8_t { kUnknown, kPrimary, kReplica, kDown };

/// One node as last probed.
struct NodeState {
  NodeRole role = NodeRole::kUnknown;
  std::uint32_t timeline = 0;
  /// Replica: replay position, a lower bound; primary: flush position. 0 = unknown.
  std::uint64_t position = 0;
  std::chrono::steady_clock::time_point probed;
};

/// Parallel to Cluster::nodes().
struct ClusterState {
  std::uint64_t system_identifier = 0;
  std::vector<NodeState> nodes;
};

}  // namespace postern::proxy
