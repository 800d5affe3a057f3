// postern check: is this configuration whole, and what does it leave unprotected?
#include <cstdio>
#include <string>

#include <nlohmann/json.hpp>

#include "app/command.hpp"
#include "base/codes/config.hpp"
#include "config/load.hpp"

namespace postern::app {
namespace {

using config::Config;
using nlohmann::ordered_json;

constexpr Flag kFlags[] = {kConfigFlag, kJsonFlag};

ordered_json summary(const Config& c) {
  ordered_json out;
  out["listen"] = c.listen.address + ":" + std::to_string(c.listen.port);
  out["clusters"] = ordered_json::object();
  for (const auto& [name, cluster] : c.clusters) out["clusters"][name] = cluster.nodes.size();
  out["databases"] = ordered_json::object();
  for (const auto& [name, database] : c.databases) {
    out["databases"][name] = {{"cluster", database.cluster},
                              {"pool_size", database.pool_size},
                              {"protected", config::is_protected(c, name)}};
  }
  out["logins"] = c.users.size();
  out["tables"] = c.tables.size();
  out["columns"] = c.columns.size();
  for (const auto& [name, on] :
       {std::pair{"tenant", c.tenant.has_value()}, std::pair{"keys", c.keys.has_value()},
        std::pair{"routing", c.routing.has_value()}, std::pair{"cache", c.cache.has_value()},
        std::pair{"audit", c.audit.has_value()}, std::pair{"metrics", c.metrics.has_value()}}) {
    out[name] = on ? "on" : "off";
  }
  return out;
}

void print_text(const Config& c, const std::vector<std::string>& warnings) {
  std::printf("%s: good\n", c.file.c_str());
  const ordered_json facts = summary(c);
  for (const auto& [key, value] : facts.items()) {
    const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
    std::printf("  %-10s %s\n", key.c_str(), text.c_str());
  }
  for (const std::string& line : warnings) std::printf("WARNING %s\n", line.c_str());
}

ordered_json as_json(const std::vector<Error>& errors) {
  ordered_json out = ordered_json::array();
  for (const Error& error : errors) {
    out.push_back({{"code", pst_label(error.code)},
                   {"message", error.message()},
                   {"hint", error.effective_hint()}});
  }
  return out;
}

Exit report(const config::LoadReport& loaded, const std::string& file, bool json) {
  const bool good = loaded.errors.empty();
  const auto warnings = good ? startup_warnings(loaded.config) : std::vector<std::string>{};
  if (json) {
    ordered_json out{{"file", file}, {"good", good}, {"errors", as_json(loaded.errors)}};
    out["warnings"] = warnings;
    if (good) out["summary"] = summary(loaded.config);
    // A file name or a quoted value need not be UTF-8.
    std::printf("%s\n", out.dump(2, ' ', false, ordered_json::error_handler_t::replace).c_str());
  } else if (good) {
    print_text(loaded.config, warnings);
  } else {
    for (const Error& error : loaded.errors) fail(error, Exit::kFindings);
  }
  if (good) return Exit::kGood;
  const bool no_file =
      loaded.errors.front().code == pst::kConfigUnreadable && loaded.config.origins.empty();
  return no_file ? Exit::kEnvironment : Exit::kFindings;
}

Exit run(const Arguments& arguments) {
  if (!arguments.has("--config")) {
    return fail(make_error(pst::kUsage, "check needs --config FILE"), Exit::kUsage);
  }
  const std::string file = arguments.value("--config");
  const auto loaded = config::load_report(file, config::process_environment());
  return report(loaded, file, arguments.has("--json"));
}

}  // namespace

extern const Command kCheckCommand;
const Command kCheckCommand{
    "check",
    "",
    0,
    "check a configuration file and say what it leaves unprotected",
    "Reads the file, its includes and its users file. Opens no connection.",
    kFlags,
    run,
};

}  // namespace postern::app
