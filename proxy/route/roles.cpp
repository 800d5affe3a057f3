#include "proxy/route/roles.hpp"

#include <algorithm>
#include <charconv>

#include "base/codes/routing.hpp"
#include "base/codes/wire.hpp"
#include "proxy/route/token.hpp"

namespace postern::proxy {
namespace {

// CASE keeps each function to the role it works in. A WAL file's name starts with its timeline in
// eight hexadecimal digits; pg_walfile_name is for primaries only.
constexpr std::string_view kProbeSql = R"sql(
SELECT r.r,
       (SELECT system_identifier FROM pg_catalog.pg_control_system()),
       CASE WHEN r.r
            THEN COALESCE((SELECT received_tli FROM pg_catalog.pg_stat_get_wal_receiver()),
                          (SELECT timeline_id FROM pg_catalog.pg_control_checkpoint()))
            ELSE ('x' OPERATOR(pg_catalog.||) pg_catalog."left"(
                   pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_flush_lsn()), 8)
                 )::pg_catalog.bit(32)::pg_catalog.int4
       END,
       CASE WHEN r.r THEN COALESCE(pg_catalog.pg_last_wal_replay_lsn(), '0/0')
            ELSE pg_catalog.pg_current_wal_flush_lsn() END,
       COALESCE(pg_catalog.pg_last_wal_replay_lsn(), '0/0'),
       (SELECT bytes_per_wal_segment FROM pg_catalog.pg_control_init())
FROM (SELECT pg_catalog.pg_is_in_recovery()) AS r (r))sql";

constexpr std::size_t kProbeColumns = 6;

template <typename T>
bool read_number(const std::string& text, T& out) {
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), out);
  return ec == std::errc{} && end == text.data() + text.size();
}

bool read_position(const std::string& text, std::uint64_t& out) {
  const auto lsn = parse_lsn(text);
  if (lsn) out = *lsn;
  return lsn.has_value();
}

// Working state of judge_roles.
class Judge {
 public:
  Judge(const ClusterState& before, const std::vector<NodeReport>& reports)
      : before_(before), reports_(reports) {
    verdict_.state = before;
    verdict_.state.nodes.resize(reports.size());
  }

  RoleVerdict run() {
    learn_system();
    const std::optional<std::size_t> primary = find_primary();
    for (std::size_t i = 0; i < reports_.size(); ++i) take(i, primary);
    if (primary) accept(*primary);
    return std::move(verdict_);
  }

 private:
  [[nodiscard]] bool answered(std::size_t i) const {
    return reports_[i].outcome == ProbeOutcome::kAnswered;
  }
  [[nodiscard]] bool is_ours(std::size_t i) const {
    return answered(i) && reports_[i].system_identifier == verdict_.state.system_identifier;
  }
  [[nodiscard]] bool claims(std::size_t i) const { return is_ours(i) && !reports_[i].in_recovery; }

  void learn_system() {
    if (verdict_.state.system_identifier != 0) return;
    for (const NodeReport& report : reports_) {
      if (report.outcome != ProbeOutcome::kAnswered) continue;
      verdict_.state.system_identifier = report.system_identifier;
      return;
    }
  }

  [[nodiscard]] std::uint32_t highest_claim() const {
    std::uint32_t highest = 0;
    for (std::size_t i = 0; i < reports_.size(); ++i) {
      if (claims(i)) highest = std::max(highest, reports_[i].timeline);
    }
    return highest;
  }

  [[nodiscard]] std::optional<std::size_t> find_primary() const {
    const std::uint32_t highest = highest_claim();
    const bool accepted_claims = before_.primary && *before_.primary < reports_.size() &&
                                 claims(*before_.primary) &&
                                 reports_[*before_.primary].timeline >= before_.timeline;
    if (accepted_claims && reports_[*before_.primary].timeline == highest) return before_.primary;
    if (before_.primary && highest <= before_.timeline) return std::nullopt;
    std::optional<std::size_t> found;
    for (std::size_t i = 0; i < reports_.size(); ++i) {
      if (!claims(i) || reports_[i].timeline != highest) continue;
      if (found) return std::nullopt;
      found = i;
    }
    return found;
  }

  void take(std::size_t i, std::optional<std::size_t> primary) {
    const NodeReport& report = reports_[i];
    NodeState& node = verdict_.state.nodes[i];
    if (report.outcome == ProbeOutcome::kRefused) {
      const bool superseded = primary && primary != i && node.role == NodeRole::kPrimary;
      if (superseded) node.role = NodeRole::kDown;
      return;
    }
    if (report.outcome == ProbeOutcome::kSilent) {
      node.role = NodeRole::kDown;
      return;
    }
    node.probed = report.at;
    if (!is_ours(i)) {
      node = NodeState{NodeRole::kDown, 0, 0, report.at};
      verdict_.faults.emplace_back(i, make_error(pst::kForeignNode));
      return;
    }
    node.timeline = report.timeline;
    node.position = report.position;
    if (report.in_recovery) {
      node.role = NodeRole::kReplica;
    } else if (primary == i) {
      node.role = NodeRole::kPrimary;
    } else {
      node.role = NodeRole::kDown;
      verdict_.faults.emplace_back(i, make_error(pst::kRivalPrimaries, "this one is not served"));
    }
  }

  void accept(std::size_t i) {
    const NodeReport& report = reports_[i];
    ClusterState& state = verdict_.state;
    if (report.timeline != before_.timeline) {
      const bool watched = before_.timeline != 0 && report.timeline == before_.timeline + 1 &&
                           i < before_.nodes.size() &&
                           before_.nodes[i].role == NodeRole::kReplica && report.same_backend;
      state.switch_lsn = watched ? report.recovery_end : 0;
    }
    state.primary = i;
    state.timeline = report.timeline;
    state.segment_bytes = report.segment_bytes;
  }

  const ClusterState& before_;
  const std::vector<NodeReport>& reports_;
  RoleVerdict verdict_;
};

}  // namespace

std::string_view probe_sql() {
  return kProbeSql;
}

Result<NodeReport> read_report(const Rows& rows, std::chrono::steady_clock::time_point now) {
  const Error bad = make_error(pst::kServerProtocol, "the answer to a probe has not its form");
  if (rows.size() != 1 || rows.front().size() != kProbeColumns) return bad;
  const Row& row = rows.front();
  if (!std::all_of(row.begin(), row.end(), [](const auto& value) { return value.has_value(); })) {
    return bad;
  }
  NodeReport report;
  report.outcome = ProbeOutcome::kAnswered;
  report.in_recovery = *row[0] == "t";
  report.at = now;
  const bool good =
      read_number(*row[1], report.system_identifier) && read_number(*row[2], report.timeline) &&
      read_position(*row[3], report.position) && read_position(*row[4], report.recovery_end) &&
      read_number(*row[5], report.segment_bytes);
  if (!good) return bad;
  return report;
}

RoleVerdict judge_roles(const ClusterState& before, const std::vector<NodeReport>& reports) {
  return Judge(before, reports).run();
}

}  // namespace postern::proxy
