// From what each node says of itself to one view of the cluster. Pure.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "proxy/catalog/rows.hpp"
#include "proxy/route/cluster_state.hpp"

namespace postern::proxy {

/// One statement, one row: in recovery, system identifier, timeline, position, end of recovery,
/// wal_segment_size. Needs no privilege beyond CONNECT. A standby's timeline is that of its WAL
/// receiver where the login may see it (pg_monitor), else that of its last restart point, which may
/// be older: the node then answers no token of the new timeline. Fails where a promotion happens
/// in its middle; the next probe will do.
std::string_view probe_sql();

/// What became of one probe.
enum class ProbeOutcome : std::uint8_t {
  kSilent,   ///< not reachable, or no answer in time
  kRefused,  ///< it is there but does not serve Postern's login: tells nothing about its role
  kAnswered,
};

/// One node's answer to probe_sql().
struct NodeReport {
  ProbeOutcome outcome = ProbeOutcome::kSilent;
  bool in_recovery = false;
  std::uint64_t system_identifier = 0;
  std::uint32_t timeline = 0;
  std::uint64_t position = 0;
  /// Where recovery last ended, on a primary; of a promotion or of a crash: see `same_backend`.
  std::uint64_t recovery_end = 0;
  std::uint64_t segment_bytes = 0;
  /// The same server process answered as the time before, so no crash lies between.
  bool same_backend = false;
  std::chrono::steady_clock::time_point at;
};

/// kServerProtocol where the rows are not an answer to probe_sql().
Result<NodeReport> read_report(const Rows& rows, std::chrono::steady_clock::time_point now);

/// A new view of the cluster, and what is wrong with it.
struct RoleVerdict {
  ClusterState state;
  std::vector<std::pair<std::size_t, Error>> faults;  ///< by node: kRivalPrimaries, kForeignNode
};

/// `reports` is parallel to the nodes. A silent node is down, one that refuses keeps its role.
/// Rules:
/// - a node of another system than the cluster's (of the accepted primary, else of the first node
///   that answers) is down;
/// - a node takes over as primary only with a higher timeline than the last accepted one; the
///   accepted primary stays it as long as it answers as one and no higher timeline shows up;
/// - with none accepted yet and several on the same timeline, none is: they may have diverged;
/// - the switch point of a new timeline is known only where its promotion was watched.
RoleVerdict judge_roles(const ClusterState& before, const std::vector<NodeReport>& reports);

}  // namespace postern::proxy
