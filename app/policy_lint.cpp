// postern policy lint: what weakens the wall, though no part of it was changed.
#include "app/policy_task.hpp"
#include "app/printable.hpp"
#include "base/codes/tools.hpp"
#include "policy/lint.hpp"

namespace postern::app {
namespace {

constexpr Flag kRulesFlag{"--rules", 0, "", "list the rules and connect to nothing"};
constexpr Flag kFlags[] = {kConfigFlag, kDatabaseFlag, kDsnFlag, kJsonFlag, kRulesFlag};

struct Report {
  std::vector<policy::LintFinding> findings;
  std::vector<policy::LintFinding> accepted;
};

Result<std::vector<policy::LintFinding>> ask(PolicyTask& task, const policy::LintRule& rule) {
  if (rule.sql.empty()) return policy::lint_version(task.connection->server_version());
  const auto rows = task.connection->query(policy::lint_sql(rule, *task.rules, task.wall));
  if (!rows) {
    return make_error(pst::kDatabaseRefused, std::string(rule.id) + ": " + rows.error().message());
  }
  std::vector<policy::LintFinding> out;
  for (const schema::Row& row : *rows) {
    out.push_back({std::string(rule.id), row.at(0).value_or(""), row.at(1).value_or(""),
                   row.at(2).value_or("")});
  }
  return out;
}

Result<Report> lint(PolicyTask& task) {
  Report report;
  for (const policy::LintRule& rule : policy::lint_rules()) {
    POSTERN_ASSIGN(const std::vector<policy::LintFinding> found, ask(task, rule));
    for (const policy::LintFinding& finding : found) {
      const bool accepted = policy::is_accepted(finding, task.config.policy.lint_accept);
      (accepted ? report.accepted : report.findings).push_back(finding);
    }
  }
  return report;
}

const policy::LintRule& rule_of(const std::vector<policy::LintRule>& rules, const std::string& id) {
  return *std::find_if(rules.begin(), rules.end(),
                       [&](const policy::LintRule& rule) { return rule.id == id; });
}

nlohmann::ordered_json as_json(const std::vector<policy::LintFinding>& findings) {
  const std::vector<policy::LintRule> rules = policy::lint_rules();
  nlohmann::ordered_json out = nlohmann::ordered_json::array();
  for (const policy::LintFinding& f : findings) {
    const policy::LintRule& rule = rule_of(rules, f.rule);
    out.push_back({{"rule", f.rule},
                   {"title", rule.title},
                   {"object", f.object},
                   {"reason", f.reason},
                   {"follows", rule.risk},
                   {"repair", f.repair}});
  }
  return out;
}

void print_text(const PolicyTask& task, const Report& report) {
  const std::vector<policy::LintRule> rules = policy::lint_rules();
  for (const policy::LintFinding& f : report.findings) {
    print_line(f.rule + " " + printable(f.object) + ": " + printable(f.reason));
    print_line("      follows: " + std::string(rule_of(rules, f.rule).risk));
    print_line("      repair:  " + printable(f.repair));
  }
  print_line(printable(task.database.name) + ": " + std::to_string(report.findings.size()) +
             " findings, " + std::to_string(report.accepted.size()) + " accepted, " +
             std::to_string(rules.size()) + " rules");
}

Exit list_rules(const Arguments& arguments) {
  nlohmann::ordered_json out = nlohmann::ordered_json::array();
  TextTable table({"RULE", "FINDS", "FOLLOWS"});
  for (const policy::LintRule& rule : policy::lint_rules()) {
    out.push_back({{"rule", rule.id}, {"title", rule.title}, {"follows", rule.risk}});
    table.add({std::string(rule.id), std::string(rule.title), std::string(rule.risk)});
  }
  if (arguments.has("--json")) {
    print_json(out);
  } else {
    table.print();
  }
  return Exit::kGood;
}

Exit run(const Arguments& arguments) {
  if (arguments.has("--rules")) return list_rules(arguments);
  PolicyTask task;
  const Exit opened = open_policy_task(arguments, "policy lint", task);
  if (opened != Exit::kGood) return opened;
  const auto report = lint(task);
  if (!report) return fail(report.error());
  if (arguments.has("--json")) {
    print_json({{"database", task.database.name},
                {"findings", as_json(report->findings)},
                {"accepted", as_json(report->accepted)}});
  } else {
    print_text(task, *report);
  }
  return report->findings.empty() ? Exit::kGood : Exit::kFindings;
}

}  // namespace

extern const Command kPolicyLintCommand;
const Command kPolicyLintCommand{
    "policy lint",
    "",
    0,
    "find what weakens the wall of a database: roles, grants, keys, views, functions",
    "Reads catalogs only, changes nothing. Each finding names rule, object, reason and the SQL\n"
    "that mends it; exit code 1 where there is one. [policy] lint_accept lists what is meant so.\n"
    "docs/policy-lint.md explains the rules.",
    kFlags,
    run,
};

}  // namespace postern::app
