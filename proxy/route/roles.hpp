// From what each node says of itself to one view of the cluster. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "proxy/catalog/rows.hpp"
#include "proxy/route/cluster_state.hpp"

namespace postern::proxy {

/// One statement, one row: in recovery, system identifier, timeline, position, where recovery
/// ended ('' unless a promoted primary), wal_segment_size. Needs no privilege beyond CONNECT and
/// EXECUTE on pg_control_system() (public by default); a replica's timeline comes from the server's
/// last restart point where pg_stat_wal_receiver shows none. Each statement reads one snapshot of
/// the functions: a role change in its middle may make it fail.
std::string_view probe_sql();

/// One node's answer to probe_sql().
struct NodeReport {
  bool in_recovery = false;
  std::uint64_t system_identifier = 0;
  std::uint32_t timeline = 0;
  std::uint64_t position = 0;
  std::uint64_t switch_lsn = 0;
  std::uint64_t segment_bytes = 0;
  std::chrono::steady_clock::time_point at;
};

/// kServerProtocol where the rows are not an answer to probe_sql().
Result<NodeReport> read_report(const Rows& rows, std::chrono::steady_clock::time_point now);

/// A new view of the cluster, and what is wrong with it.
struct RoleVerdict {
  ClusterState state;
  std::vector<std::pair<std::size_t, Error>> faults;  ///< by node: kRivalPrimaries, kForeignNode
};

/// `reports` is parallel to the nodes; none = did not answer. Rules:
/// - a node of another system than the cluster's (of the accepted primary, else of the first node
///   that answers) is down;
/// - a node takes over as primary only with a higher timeline than the last accepted one; the
///   accepted primary stays it as long as it answers as one and no higher timeline shows up;
/// - with none accepted yet and several on the same timeline, none is: they may have diverged.
RoleVerdict judge_roles(const ClusterState& before,
                        const std::vector<std::optional<NodeReport>>& reports);

}  // namespace postern::proxy
