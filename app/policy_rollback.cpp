// postern policy rollback: takes the wall away.
#include "app/policy_task.hpp"
#include "app/printable.hpp"
#include "base/codes/config.hpp"

namespace postern::app {
namespace {

constexpr Flag kFlags[] = {kConfigFlag, kDatabaseFlag, kDsnFlag, kJsonFlag};

Result<std::vector<std::string>> roll_back(const config::Config& config,
                                           const Arguments& arguments) {
  POSTERN_ASSIGN(const DatabaseName database,
                 database_named(config, arguments.value("--database")));
  POSTERN_ASSIGN(schema::Connection connection,
                 connect_primary(config, database, arguments.value("--dsn")));
  POSTERN_TRY(connection.run(policy::wall_rollback({})));
  return connection.take_notices();
}

Exit run(const Arguments& arguments) {
  if (!arguments.has("--database")) {
    return fail(make_error(pst::kUsage, "policy rollback needs --database DB"));
  }
  config::Config config;
  const Exit loaded = load_config(arguments, "policy rollback", config);
  if (loaded != Exit::kGood) return loaded;
  const auto notices = roll_back(config, arguments);
  if (!notices) return fail(notices.error());
  if (arguments.has("--json")) {
    print_json({{"database", arguments.value("--database")}, {"notices", *notices}});
    return Exit::kGood;
  }
  print_line("the wall is taken away; tables, views and their own policies are as before");
  for (const std::string& notice : *notices) print_line("server: " + printable(notice));
  return Exit::kGood;
}

}  // namespace

extern const Command kPolicyRollbackCommand;
const Command kPolicyRollbackCommand{
    "policy rollback",
    "",
    0,
    "take the wall out of a database, restoring what was before",
    "From then on only Postern's gate keeps tenants apart. The domain of encrypted columns stays\n"
    "while a column uses it.",
    kFlags,
    run,
};

}  // namespace postern::app
