// postern policy apply: raises the wall and installs the guard key.
#include <unistd.h>

#include "app/guard_key_install.hpp"
#include "app/policy_task.hpp"
#include "app/printable.hpp"
#include "app/role_passwords.hpp"
#include "config/guard_key.hpp"

namespace postern::app {
namespace {

constexpr Flag kFlags[] = {kConfigFlag, kDatabaseFlag, kDsnFlag, kJsonFlag};

struct Applied {
  std::string kid;                 ///< empty: no guard key is configured
  std::vector<std::string> roles;  ///< tenants' logins that got the configured password
  std::vector<policy::WallDifference> differences;
  std::vector<std::string> notices;
};

Result<Applied> apply(PolicyTask& task) {
  Applied out;
  POSTERN_ASSIGN(const std::string sql, policy::wall_plan(*task.rules, task.wall));
  const std::string key_file = guard_key_file(task.config);
  // Whatever stops the key is to stop the plan: a wall without its key shows nobody a row.
  if (!key_file.empty()) {
    POSTERN_TRY(keep_keys_out_of_log(*task.connection));
    POSTERN_ASSIGN(const Secret key, config::load_guard_key(key_file));
  }
  POSTERN_TRY(task.connection->run(sql));
  out.notices = task.connection->take_notices();
  if (!key_file.empty()) {
    POSTERN_ASSIGN(out.kid, install_guard_key(*task.connection, key_file));
    const std::string next = config::next_guard_key_file(key_file);
    if (::access(next.c_str(), F_OK) == 0) {
      POSTERN_ASSIGN(const std::string other, install_guard_key(*task.connection, next));
      out.kid += ", " + other;
    }
  }
  if (task.rules->options.schemas && !task.config.tenant->role_password.empty()) {
    POSTERN_ASSIGN(out.roles, set_role_passwords(*task.connection, *task.rules,
                                                 task.config.tenant->role_password));
  }
  // What other sessions did meanwhile, and what the plan could not mend, shows here.
  POSTERN_ASSIGN(auto catalog, load_catalog(*task.connection));
  POSTERN_ASSIGN(task.rules, policy::compile_ruleset(task.rules->options, std::move(catalog)));
  POSTERN_ASSIGN(out.differences, wall_differences(*task.connection, *task.rules, task.wall));
  return out;
}

void print_walled(const PolicyTask& task, const Applied& applied) {
  print_line("wall applied to " + printable(task.database.name) + ": " +
             std::to_string(task.rules->tenant_tables.size()) + " tenant tables, " +
             std::to_string(task.rules->columns.size()) + " encrypted columns");
  print_line(applied.kid.empty() ? "no guard key: [tenant] guard_key_file is not given"
                                 : "guard key " + applied.kid + " installed");
}

void print_text(const PolicyTask& task, const Applied& applied) {
  if (task.rules->options.schemas) {
    print_line("wall applied to " + printable(task.database.name) + ": tenants' schemas, " +
               std::to_string(applied.roles.size()) + " roles with the configured password");
  } else {
    print_walled(task, applied);
  }
  for (const std::string& notice : applied.notices) print_line("server: " + printable(notice));
  for (const policy::ProtectedColumn& column : task.rules->columns) {
    if (column.stored_sealed) continue;
    print_line("WARNING " + printable(column.table + "." + column.column) +
               " is not of type postern.pe1 yet: every use of it is refused");
  }
  if (applied.differences.empty()) return print_line("verified: no difference");
  TextTable table({"OBJECT", "PROBLEM", "REPAIR"});
  for (const auto& d : applied.differences) table.add({d.object, d.problem, d.repair});
  table.print();
}

nlohmann::ordered_json as_json(const PolicyTask& task, const Applied& applied) {
  nlohmann::ordered_json out{{"database", task.database.name},
                             {"tenant_tables", task.rules->tenant_tables.size()},
                             {"encrypted_columns", task.rules->columns.size()},
                             {"kid", applied.kid},
                             {"tenant_roles", applied.roles},
                             {"notices", applied.notices}};
  out["differences"] = nlohmann::ordered_json::array();
  for (const auto& d : applied.differences) {
    out["differences"].push_back(
        {{"object", d.object}, {"problem", d.problem}, {"repair", d.repair}});
  }
  return out;
}

Exit run(const Arguments& arguments) {
  PolicyTask task;
  const Exit opened = open_policy_task(arguments, "policy apply", task);
  if (opened != Exit::kGood) return opened;
  const auto applied = apply(task);
  if (!applied) return fail(applied.error());
  if (arguments.has("--json")) {
    print_json(as_json(task, *applied));
  } else {
    print_text(task, *applied);
  }
  return applied->differences.empty() ? Exit::kGood : Exit::kFindings;
}

}  // namespace

extern const Command kPolicyApplyCommand;
const Command kPolicyApplyCommand{
    "policy apply",
    "",
    0,
    "keep tenants apart in a database: run the plan, install the guard key, verify",
    "The login must own the tables and may create the role postern_owner, or be a superuser. May\n"
    "be run again at any time.",
    kFlags,
    run,
};

}  // namespace postern::app
