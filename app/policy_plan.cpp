// postern policy plan: the SQL that raises the wall, for review.
#include <cstdio>

#include "app/policy_task.hpp"
#include "app/printable.hpp"

namespace postern::app {
namespace {

constexpr Flag kFlags[] = {kConfigFlag, kDatabaseFlag, kDsnFlag, kJsonFlag};

nlohmann::ordered_json as_json(const PolicyTask& task, const std::string& sql) {
  nlohmann::ordered_json out{{"database", task.database.name}, {"sql", sql}};
  std::vector<std::string> tables;
  for (const auto& [oid, table] : task.rules->tenant_tables) tables.push_back(table.table);
  std::sort(tables.begin(), tables.end());
  out["tenant_tables"] = tables;
  return out;
}

Exit run(const Arguments& arguments) {
  PolicyTask task;
  const Exit opened = open_policy_task(arguments, "policy plan", task);
  if (opened != Exit::kGood) return opened;
  const auto sql = policy::wall_plan(*task.rules, task.wall);
  if (!sql) return fail(sql.error());
  if (arguments.has("--json")) {
    print_json(as_json(task, *sql));
  } else {
    std::fwrite(sql->data(), 1, sql->size(), stdout);
  }
  return Exit::kGood;
}

}  // namespace

extern const Command kPolicyPlanCommand;
const Command kPolicyPlanCommand{
    "policy plan",
    "",
    0,
    "print the SQL that keeps tenants apart in a database",
    "Reads the catalog and changes nothing. The text holds no secret; policy apply runs it and\n"
    "then installs the guard key.",
    kFlags,
    run,
};

}  // namespace postern::app
