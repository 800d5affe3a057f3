// postern policy verify: does the wall stand as configured?
#include "app/policy_task.hpp"
#include "app/printable.hpp"

namespace postern::app {
namespace {

constexpr Flag kFlags[] = {kConfigFlag, kDatabaseFlag, kDsnFlag, kJsonFlag};
using Differences = std::vector<policy::WallDifference>;

void print_text(const PolicyTask& task, const Differences& differences, const std::string& guard) {
  print_line("guard: " + printable(guard));
  const std::string apart =
      task.rules->options.schemas
          ? "tenants' schemas"
          : std::to_string(task.rules->tenant_tables.size()) + " tenant tables";
  if (differences.empty()) {
    return print_line("the wall of " + printable(task.database.name) + " stands: " + apart);
  }
  print_line("the wall of " + printable(task.database.name) +
             " is not as configured: " + std::to_string(differences.size()) + " differences");
  for (const auto& d : differences) {
    print_line("  " + printable(d.object) + ": " + printable(d.problem));
    print_line("      " + printable(d.repair));
  }
}

nlohmann::ordered_json as_json(const PolicyTask& task, const Differences& differences,
                               const std::string& guard) {
  nlohmann::ordered_json out{{"database", task.database.name},
                             {"guard", guard},
                             {"stands", differences.empty()},
                             {"tenant_tables", task.rules->tenant_tables.size()}};
  out["differences"] = nlohmann::ordered_json::array();
  for (const auto& d : differences) {
    out["differences"].push_back(
        {{"object", d.object}, {"problem", d.problem}, {"repair", d.repair}});
  }
  return out;
}

Exit run(const Arguments& arguments) {
  PolicyTask task;
  const Exit opened = open_policy_task(arguments, "policy verify", task);
  if (opened != Exit::kGood) return opened;
  const auto differences = wall_differences(*task.connection, *task.rules, task.wall);
  if (!differences) return fail(differences.error());
  const auto guard = task.connection->value(policy::guard_form_sql());
  if (!guard) return fail(guard.error());
  if (arguments.has("--json")) {
    print_json(as_json(task, *differences, *guard));
  } else {
    print_text(task, *differences, *guard);
  }
  return differences->empty() ? Exit::kGood : Exit::kFindings;
}

}  // namespace

extern const Command kPolicyVerifyCommand;
const Command kPolicyVerifyCommand{
    "policy verify",
    "",
    0,
    "compare the wall in a database with the configuration",
    "Names each difference and the SQL that mends it; exit code 1 where there is one. Needs no\n"
    "privilege beyond CONNECT.",
    kFlags,
    run,
};

}  // namespace postern::app
