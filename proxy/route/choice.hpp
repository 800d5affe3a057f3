// Which replica may answer a read. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "proxy/route/cluster_state.hpp"
#include "proxy/route/token.hpp"

namespace postern::proxy {

struct ChoiceQuestion {
  const ClusterState* cluster = nullptr;
  Token floor;                  ///< what the answer must contain
  std::uint64_t lag_bytes = 0;  ///< most bytes of WAL a replica may be behind
  /// Reads under way per node, parallel to the nodes; empty: none anywhere.
  std::span<const std::uint32_t> outstanding;
  /// Probes before it do not count; the default takes any.
  std::chrono::steady_clock::time_point oldest_probe = std::chrono::steady_clock::time_point::min();
  std::uint64_t random = 0;  ///< decides among equals
};

/// Indexes of nodes, best first. Both empty: the primary answers.
struct ReplicaChoice {
  std::vector<std::size_t> ready;  ///< have reached the floor, least busy first
  /// Within the lag bound, but not known to have reached the floor: worth a wait of max_wait, in
  /// which the replica itself must confirm its position. Furthest first.
  std::vector<std::size_t> soon;
};

/// The lag is measured against the highest position known of any node of the cluster, one that
/// is down included: with no primary in sight, replicas serve reads as far as is known.
ReplicaChoice choose(const ChoiceQuestion& question);

}  // namespace postern::proxy
