// Tokens, choice of replicas and roles: pure, table by table.
#include <algorithm>

#include <doctest/doctest.h>

#include "base/codes/routing.hpp"
#include "proxy/route/choice.hpp"
#include "proxy/route/roles.hpp"
#include "proxy/route/token.hpp"

namespace postern::proxy {
namespace {

constexpr std::uint64_t kSystem = 7'000'000'000'000'000'001;
constexpr std::uint64_t kSegment = 16u << 20;

NodeState node(NodeRole role, std::uint32_t timeline, std::uint64_t position) {
  NodeState state;
  state.role = role;
  state.timeline = timeline;
  state.position = position;
  return state;
}

ClusterState cluster(std::vector<NodeState> nodes, std::uint32_t timeline = 1) {
  ClusterState state;
  state.system_identifier = kSystem;
  state.timeline = timeline;
  state.nodes = std::move(nodes);
  return state;
}

NodeReport answer(bool in_recovery, std::uint32_t timeline, std::uint64_t position = 100) {
  NodeReport report;
  report.outcome = ProbeOutcome::kAnswered;
  report.in_recovery = in_recovery;
  report.system_identifier = kSystem;
  report.timeline = timeline;
  report.position = position;
  report.recovery_end = 90;
  report.segment_bytes = kSegment;
  report.same_backend = true;
  return report;
}

NodeReport outcome(ProbeOutcome what) {
  NodeReport report;
  report.outcome = what;
  return report;
}

std::string roles(const RoleVerdict& verdict) {
  std::string out;
  for (const NodeState& n : verdict.state.nodes) out += "?PRD"[static_cast<int>(n.role)];
  return out;
}

}  // namespace

TEST_CASE("route: positions are read and printed as pg_lsn is") {
  CHECK(parse_lsn("0/0").value() == 0);
  CHECK(parse_lsn("16/B374D848").value() == 0x16B374D848);
  CHECK(parse_lsn("ffffffff/ffffffff").value() == ~std::uint64_t{0});
  for (const char* bad : {"", "/", "0", "0/", "/0", "0/0/0", "g/0", "0x1/0", "-1/0", "+1/0", " 0/0",
                          "0/0 ", "123456789/0", "0/123456789"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_lsn(bad));
  }
  for (const std::uint64_t lsn : {0ull, 0x3082120ull, 0x16B374D848ull, ~0ull}) {
    CHECK(parse_lsn(lsn_text(lsn)).value() == lsn);
  }
  CHECK(lsn_text(0x16B374D848) == "16/B374D848");
}

TEST_CASE("route: an insert position behind a page header is where flush and replay end") {
  // Observed on PostgreSQL 15: insert 0/30AA018, flush and replay 0/30AA000.
  CHECK(without_page_header(0x30AA018, kSegment) == 0x30AA000);
  CHECK(without_page_header(0x30AA000, kSegment) == 0x30AA000);
  CHECK(without_page_header(0x30AA017, kSegment) == 0x30AA017);
  CHECK(without_page_header(0x30AA019, kSegment) == 0x30AA019);
  // The first page of a segment has the long header.
  CHECK(without_page_header(0x4000028, kSegment) == 0x4000000);
  CHECK(without_page_header(0x4000027, kSegment) == 0x4000027);
  CHECK(without_page_header(0x4000029, kSegment) == 0x4000029);
  // With larger segments the same offset may be a record's end: not one byte too low.
  CHECK(without_page_header(0x5000028, 64u << 20) == 0x5000028);
  CHECK(without_page_header(0x4000028, 0) == 0x4000028);
}

TEST_CASE("route: a floor only rises, by timeline and then by position") {
  Token floor;
  raise(floor, Token{});
  CHECK(floor.is_none());
  raise(floor, {kSystem, 1, 100});
  raise(floor, {kSystem, 1, 99});
  CHECK(floor == Token{kSystem, 1, 100});
  raise(floor, {kSystem, 1, 101});
  CHECK(floor.lsn == 101);
  raise(floor, {kSystem, 2, 50});
  CHECK(floor == Token{kSystem, 2, 50});
  raise(floor, {kSystem, 1, 1'000});
  CHECK(floor == Token{kSystem, 2, 50});
  raise(floor, Token{});
  CHECK(floor == Token{kSystem, 2, 50});
  raise(floor, {kSystem + 1, 1, 1});
  CHECK(floor == Token{kSystem + 1, 1, 1});
}

TEST_CASE("route: what a position says about a token") {
  ClusterState state = cluster({}, 2);
  state.switch_lsn = 500;
  const struct {
    NodeState where;
    Token token;
    Reached verdict;
  } cases[] = {
      {node(NodeRole::kReplica, 2, 0), {}, Reached::kYes},
      {node(NodeRole::kReplica, 2, 600), {kSystem, 2, 600}, Reached::kYes},
      {node(NodeRole::kReplica, 2, 599), {kSystem, 2, 600}, Reached::kNotYet},
      {node(NodeRole::kReplica, 2, 600), {kSystem, 1, 500}, Reached::kYes},
      {node(NodeRole::kReplica, 2, 499), {kSystem, 1, 500}, Reached::kNotYet},
      {node(NodeRole::kReplica, 2, 600), {kSystem, 1, 501}, Reached::kLost},
      {node(NodeRole::kReplica, 1, 600), {kSystem, 2, 600}, Reached::kUnknown},
      {node(NodeRole::kReplica, 3, 600), {kSystem, 1, 500}, Reached::kUnknown},
      {node(NodeRole::kReplica, 2, 600), {kSystem + 1, 2, 1}, Reached::kUnknown},
  };
  for (const auto& c : cases) CHECK(reached(state, c.where, c.token) == c.verdict);
  state.switch_lsn = 0;
  CHECK(reached(state, node(NodeRole::kReplica, 2, 600), {kSystem, 1, 5}) == Reached::kUnknown);
}

TEST_CASE("route: choice of replicas") {
  const ClusterState state = cluster({
      node(NodeRole::kPrimary, 1, 1'000), node(NodeRole::kReplica, 1, 900),
      node(NodeRole::kReplica, 1, 1'000), node(NodeRole::kReplica, 1, 499),  // too far behind
      node(NodeRole::kDown, 1, 1'000), node(NodeRole::kUnknown, 1, 1'000),
      node(NodeRole::kReplica, 1, 0),  // position unknown
  });
  ChoiceQuestion question;
  question.cluster = &state;
  question.lag_bytes = 500;
  using Nodes = std::vector<std::size_t>;

  SUBCASE("without a floor all near ones are ready, in turn") {
    CHECK(choose(question).ready == Nodes{1, 2});
    question.random = 1;
    CHECK(choose(question).ready == Nodes{2, 1});
    CHECK(choose(question).soon.empty());
  }
  SUBCASE("the lag bound is exact") {
    question.lag_bytes = 501;
    CHECK(choose(question).ready == Nodes{1, 2, 3});
    question.lag_bytes = 99;
    CHECK(choose(question).ready == Nodes{2});
    question.lag_bytes = 0;
    CHECK(choose(question).ready == Nodes{2});
  }
  SUBCASE("the least busy comes first, whatever the turn") {
    const std::uint32_t outstanding[] = {0, 3, 4, 0, 0, 0, 0};
    question.outstanding = outstanding;
    question.random = 1;
    CHECK(choose(question).ready == Nodes{1, 2});
  }
  SUBCASE("a floor parts ready from soon") {
    question.floor = {kSystem, 1, 901};
    CHECK(choose(question).ready == Nodes{2});
    CHECK(choose(question).soon == Nodes{1});
    question.floor.lsn = 900;
    CHECK(choose(question).ready == Nodes{1, 2});
    question.floor.lsn = 1'001;
    CHECK(choose(question).ready.empty());
    CHECK(choose(question).soon == Nodes{2, 1});
  }
  SUBCASE("a floor of elsewhere leaves the primary alone") {
    question.floor = {kSystem, 2, 1};
    CHECK((choose(question).ready.empty() && choose(question).soon.empty()));
  }
  SUBCASE("old probes do not count") {
    question.oldest_probe = std::chrono::steady_clock::time_point(std::chrono::seconds(1));
    CHECK(choose(question).ready.empty());
  }
}

TEST_CASE("route: replicas of an abandoned timeline answer nothing") {
  ClusterState state =
      cluster({node(NodeRole::kPrimary, 2, 600), node(NodeRole::kReplica, 1, 9'000),
               node(NodeRole::kReplica, 2, 590)},
              2);
  ChoiceQuestion question;
  question.cluster = &state;
  question.lag_bytes = 100;
  CHECK(choose(question).ready == std::vector<std::size_t>{2});
  state.nodes.clear();
  CHECK(choose(question).ready.empty());
}

TEST_CASE("route: roles from reports") {
  ClusterState fresh;
  fresh.nodes.resize(2);
  const auto silent = outcome(ProbeOutcome::kSilent);
  const auto refused = outcome(ProbeOutcome::kRefused);
  const struct {
    const char* what;
    std::vector<NodeReport> reports;
    const char* roles;
    std::size_t faults;
  } first[] = {
      {"usual", {answer(false, 1), answer(true, 1)}, "PR", 0},
      {"replica alone", {silent, answer(true, 1)}, "DR", 0},
      {"rivals of one timeline", {answer(false, 1), answer(false, 1)}, "DD", 2},
      {"the higher timeline wins", {answer(false, 1), answer(false, 2)}, "DP", 1},
      {"all silent", {silent, silent}, "DD", 0},
      {"login refused", {refused, answer(true, 1)}, "?R", 0},
  };
  for (const auto& c : first) {
    CAPTURE(c.what);
    const RoleVerdict verdict = judge_roles(fresh, c.reports);
    CHECK(roles(verdict) == c.roles);
    CHECK(verdict.faults.size() == c.faults);
  }
}

TEST_CASE("route: a primary is followed by a higher timeline only") {
  ClusterState start;
  start.nodes.resize(2);
  const ClusterState before = judge_roles(start, {answer(false, 3), answer(true, 3)}).state;
  REQUIRE(before.live_primary() == 0);
  CHECK(before.timeline == 3);
  CHECK(before.system_identifier == kSystem);
  const auto silent = outcome(ProbeOutcome::kSilent);
  const auto refused = outcome(ProbeOutcome::kRefused);

  CHECK(roles(judge_roles(before, {silent, answer(false, 3)})) == "DD");
  CHECK(roles(judge_roles(before, {silent, answer(false, 2)})) == "DD");
  CHECK(roles(judge_roles(before, {answer(false, 3), answer(false, 3)})) == "PD");
  CHECK(roles(judge_roles(before, {refused, answer(true, 3)})) == "PR");
  CHECK(roles(judge_roles(before, {refused, answer(false, 4)})) == "DP");
  CHECK(roles(judge_roles(before, {answer(true, 3), answer(true, 3)})) == "RR");

  const RoleVerdict promoted = judge_roles(before, {answer(false, 3), answer(false, 4)});
  CHECK(roles(promoted) == "DP");
  REQUIRE(promoted.faults.size() == 1);
  CHECK(promoted.faults[0].second.code == pst::kRivalPrimaries);
  CHECK(promoted.state.switch_lsn == 90);
  CHECK(promoted.state.timeline == 4);

  // A primary that is away for a while is remembered, and so is its switch point.
  const ClusterState away = judge_roles(promoted.state, {answer(true, 4), silent}).state;
  CHECK(away.primary == 1);
  CHECK_FALSE(away.live_primary());
  const RoleVerdict back = judge_roles(away, {answer(true, 4), answer(false, 4)});
  CHECK(roles(back) == "RP");
  CHECK(back.state.switch_lsn == 90);
}

TEST_CASE("route: the switch point is known only of a promotion that was watched") {
  ClusterState start;
  start.nodes.resize(2);
  const ClusterState before = judge_roles(start, {answer(false, 1), answer(true, 1)}).state;
  const auto silent = outcome(ProbeOutcome::kSilent);
  NodeReport other_backend = answer(false, 2);
  other_backend.same_backend = false;
  CHECK(judge_roles(before, {silent, other_backend}).state.switch_lsn == 0);
  CHECK(judge_roles(before, {silent, answer(false, 3)}).state.switch_lsn == 0);
  CHECK(judge_roles(before, {silent, answer(false, 2)}).state.switch_lsn == 90);
  CHECK(judge_roles(start, {silent, answer(false, 2)}).state.switch_lsn == 0);
}

TEST_CASE("route: a node of another system is not served") {
  ClusterState start;
  start.nodes.resize(2);
  NodeReport foreign = answer(false, 9);
  foreign.system_identifier = kSystem + 1;
  const RoleVerdict verdict = judge_roles(start, {answer(false, 1), foreign});
  CHECK(roles(verdict) == "PD");
  REQUIRE(verdict.faults.size() == 1);
  CHECK(verdict.faults[0].first == 1);
  CHECK(verdict.faults[0].second.code == pst::kForeignNode);
}

TEST_CASE("route: answers to the probe") {
  const Row good = {"t", "7000000000000000001", "2", "0/30AA000", "0/0", "16777216"};
  const auto report = read_report({good}, {});
  REQUIRE(report);
  CHECK(report->in_recovery);
  CHECK(report->system_identifier == kSystem);
  CHECK(report->timeline == 2);
  CHECK(report->position == 0x30AA000);
  CHECK(report->segment_bytes == kSegment);
  CHECK_FALSE(read_report({}, {}));
  CHECK_FALSE(read_report({good, good}, {}));
  for (std::size_t i = 1; i < good.size(); ++i) {
    Row bad = good;
    bad[i] = "x";
    CHECK_FALSE(read_report({bad}, {}));
    bad[i] = std::nullopt;
    CHECK_FALSE(read_report({bad}, {}));
  }
}

}  // namespace postern::proxy
