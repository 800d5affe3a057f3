// Which node is taken for the primary.
#include <doctest/doctest.h>

#include "proxy/runtime/database.hpp"

using namespace postern;
using namespace postern::proxy;

namespace {

config::ClusterOptions three_nodes() {
  config::ClusterOptions options;
  options.nodes = {{"a", 1}, {"b", 1}, {"c", 1}};
  return options;
}

std::string names(const Cluster& cluster) {
  std::string text;
  for (const Endpoint& node : cluster.primary_candidates()) text += node.host;
  return text;
}

void see(Cluster& cluster, std::vector<NodeRole> roles) {
  auto state = std::make_shared<ClusterState>();
  for (const NodeRole role : roles) state->nodes.push_back({role, 1, 1, {}});
  cluster.publish(std::move(state));
}

}  // namespace

TEST_CASE("while roles are unknown the node last found writable is tried first") {
  const config::ClusterOptions options = three_nodes();
  const auto cluster = std::move(*Cluster::make("main", options));
  const Endpoint a = cluster->nodes()[0];
  const Endpoint b = cluster->nodes()[1];
  CHECK(names(*cluster) == "abc");
  cluster->found(a, false);
  CHECK(names(*cluster) == "abc");
  cluster->found(b, true);
  CHECK(names(*cluster) == "bac");
  CHECK(cluster->likely_primary() == 1);
  cluster->found(a, false);
  cluster->found({"elsewhere", 1, ""}, true);
  CHECK(names(*cluster) == "bac");
  // It is no longer, or cannot be reached.
  cluster->found(b, false);
  CHECK(names(*cluster) == "abc");
  CHECK(cluster->likely_primary() == 0);
}

TEST_CASE("what the monitor says of nodes goes before what logins found") {
  const config::ClusterOptions options = three_nodes();
  const auto cluster = std::move(*Cluster::make("main", options));
  cluster->found(cluster->nodes()[1], true);
  using enum NodeRole;
  see(*cluster, {kReplica, kReplica, kPrimary});
  CHECK(names(*cluster) == "c");
  see(*cluster, {kUnknown, kDown, kUnknown});
  CHECK(names(*cluster) == "ac");
  see(*cluster, {kDown, kReplica, kDown});
  CHECK(names(*cluster) == "abc");
  CHECK_FALSE(cluster->likely_primary());
}

TEST_CASE("a changed cluster begins without what logins found") {
  const config::ClusterOptions options = three_nodes();
  const auto former = std::move(*Cluster::make("main", options));
  former->found(former->nodes()[2], true);
  const auto fresh = std::move(*Cluster::make("main", options));
  fresh->inherit(*former);
  CHECK(names(*fresh) == "abc");
}
