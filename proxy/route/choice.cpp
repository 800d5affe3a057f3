#include "proxy/route/choice.hpp"

#include <algorithm>
#include <numeric>

namespace postern::proxy {
namespace {

std::uint64_t furthest(const ClusterState& cluster) {
  std::uint64_t position = 0;
  for (const NodeState& node : cluster.nodes) {
    // Positions of an abandoned timeline are no measure.
    if (node.timeline >= cluster.timeline) position = std::max(position, node.position);
  }
  return position;
}

bool is_near(const NodeState& node, std::uint64_t furthest_position, std::uint64_t lag_bytes) {
  if (node.position == 0) return false;
  const std::uint64_t lag =
      furthest_position > node.position ? furthest_position - node.position : 0;
  return lag <= lag_bytes;
}

std::uint32_t busy(const ChoiceQuestion& question, std::size_t node) {
  return node < question.outstanding.size() ? question.outstanding[node] : 0;
}

// Ascending nodes, turned by a random number, so that a stable sort decides among equals by it.
std::vector<std::size_t> turned(std::size_t count, std::uint64_t random) {
  std::vector<std::size_t> nodes(count);
  std::iota(nodes.begin(), nodes.end(), std::size_t{0});
  if (count == 0) return nodes;
  const auto turn = static_cast<std::ptrdiff_t>(random % count);
  std::rotate(nodes.begin(), nodes.begin() + turn, nodes.end());
  return nodes;
}

}  // namespace

ReplicaChoice choose(const ChoiceQuestion& question) {
  const ClusterState& cluster = *question.cluster;
  const std::uint64_t front = furthest(cluster);
  std::vector<std::size_t> near;
  for (std::size_t i = 0; i < cluster.nodes.size(); ++i) {
    const NodeState& node = cluster.nodes[i];
    const bool fit = node.role == NodeRole::kReplica && node.timeline >= cluster.timeline &&
                     node.probed >= question.oldest_probe &&
                     is_near(node, front, question.lag_bytes);
    if (fit) near.push_back(i);
  }
  ReplicaChoice choice;
  for (const std::size_t place : turned(near.size(), question.random)) {
    const std::size_t node = near[place];
    const Reached verdict = reached(cluster, cluster.nodes[node], question.floor);
    if (verdict == Reached::kYes) choice.ready.push_back(node);
    if (verdict == Reached::kNotYet) choice.soon.push_back(node);
  }
  std::stable_sort(choice.ready.begin(), choice.ready.end(), [&](std::size_t a, std::size_t b) {
    return busy(question, a) < busy(question, b);
  });
  std::stable_sort(choice.soon.begin(), choice.soon.end(), [&](std::size_t a, std::size_t b) {
    return cluster.nodes[a].position > cluster.nodes[b].position;
  });
  return choice;
}

}  // namespace postern::proxy
