// postern doctor: what is there, what is missing, and what follows from it.
#include "app/doctor.hpp"

#include <algorithm>

#include "app/inputs.hpp"
#include "app/printable.hpp"
#include "config/load.hpp"

namespace postern::app {
namespace {

using Json = nlohmann::ordered_json;
using schema::Level;

constexpr Flag kFlags[] = {kConfigFlag, kJsonFlag};

std::size_t count(const Checks& checks, Level level) {
  return static_cast<std::size_t>(
      std::count_if(checks.begin(), checks.end(),
                    [&](const schema::Check& check) { return check.level == level; }));
}

void print_text(const Checks& checks) {
  TextTable table({"", "WHERE", "WHAT", "FOUND"});
  for (const schema::Check& check : checks) {
    table.add({schema::to_word(check.level), check.where, check.what, check.found});
  }
  table.print("");
  for (const schema::Check& check : checks) {
    if (check.level == Level::kGood) continue;
    print_line("\n" + std::string(schema::to_word(check.level)) + ": " + printable(check.where) +
               ", " + printable(check.what) + ": " + printable(check.found));
    if (!check.follows.empty()) print_line("  follows: " + printable(check.follows));
    if (!check.remedy.empty()) print_line("  remedy:  " + printable(check.remedy));
  }
  print_line("\n" + std::to_string(count(checks, Level::kMissing)) + " missing, " +
             std::to_string(count(checks, Level::kWarning)) + " warnings, " +
             std::to_string(count(checks, Level::kGood)) + " good");
}

Json as_json(const std::string& file, const Checks& checks) {
  Json out{{"file", file},
           {"missing", count(checks, Level::kMissing)},
           {"warnings", count(checks, Level::kWarning)}};
  out["checks"] = Json::array();
  for (const schema::Check& check : checks) {
    out["checks"].push_back({{"level", schema::to_word(check.level)},
                             {"where", check.where},
                             {"what", check.what},
                             {"found", check.found},
                             {"follows", check.follows},
                             {"remedy", check.remedy}});
  }
  return out;
}

Exit run(const Arguments& arguments) {
  config::Config config;
  const Exit loaded = load_config(arguments, "doctor", config);
  if (loaded != Exit::kGood) return loaded;
  Checks checks;
  check_servers(config, checks);
  check_files(config, checks);
  check_redis(config, checks);
  for (const std::string& line : config::startup_warnings(config)) {
    checks.push_back({Level::kWarning, "configuration", "protection", line, "", ""});
  }
  if (arguments.has("--json")) {
    print_json(as_json(config.file, checks));
  } else {
    print_text(checks);
  }
  return count(checks, Level::kMissing) == 0 ? Exit::kGood : Exit::kFindings;
}

}  // namespace

extern const Command kDoctorCommand;
const Command kDoctorCommand{
    "doctor",
    "",
    0,
    "look at servers, privileges, keys and folders, and say what is missing",
    "Connects to every node as [service] and changes nothing. Exit code 1 where something is\n"
    "missing; warnings alone are 0.",
    kFlags,
    run,
};

}  // namespace postern::app
