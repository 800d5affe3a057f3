// What is known of a cluster's nodes: written by the monitor, read by every session. Immutable.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

namespace postern::proxy {

enum class NodeRole : std::uint8_t { kUnknown, kPrimary, kReplica, kDown };

/// One node as last probed.
struct NodeState {
  NodeRole role = NodeRole::kUnknown;
  std::uint32_t timeline = 0;
  /// Replica: replay position, a lower bound; primary: flush position. 0 = unknown. Of a node that
  /// is down: the last one seen.
  std::uint64_t position = 0;
  std::chrono::steady_clock::time_point probed;  ///< of the last answer
};

/// Parallel to Cluster::nodes().
struct ClusterState {
  std::uint64_t system_identifier = 0;
  std::vector<NodeState> nodes;
  /// The node last accepted as primary; it may be down at the moment. Empty: none was yet.
  std::optional<std::size_t> primary;
  std::uint32_t timeline = 0;       ///< of that primary
  std::uint64_t switch_lsn = 0;     ///< where that timeline left the one before; 0 = unknown
  std::uint64_t segment_bytes = 0;  ///< wal_segment_size; 0 = unknown

  /// The primary, where it is up.
  [[nodiscard]] std::optional<std::size_t> live_primary() const {
    if (!primary || nodes[*primary].role != NodeRole::kPrimary) return std::nullopt;
    return primary;
  }
};

}  // namespace postern::proxy
