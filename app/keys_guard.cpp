// postern keys guard …: exchange of the key that signs tenant contexts, without a pause.
#include <charconv>
#include <map>
#include <unistd.h>

#include "app/guard_key_install.hpp"
#include "app/policy_task.hpp"
#include "app/printable.hpp"
#include "base/codes/config.hpp"
#include "base/codes/tools.hpp"
#include "base/codes/wall.hpp"
#include "config/guard_key.hpp"
#include "policy/sql_quote.hpp"

namespace postern::app {
namespace {

constexpr Flag kForceFlag{"--force", 0, "", "where no proxy signs with the former key any more"};
constexpr Flag kFileFlags[] = {kConfigFlag, kJsonFlag};
constexpr Flag kPromoteFlags[] = {
    kConfigFlag, kJsonFlag, {"--force", 0, "", "do not ask the databases"}};
constexpr Flag kInstallFlags[] = {kConfigFlag, kDatabaseFlag, kDsnFlag, kJsonFlag};
constexpr Flag kRetireFlags[] = {kConfigFlag, kDatabaseFlag, kDsnFlag, kForceFlag, kJsonFlag};

bool exists(const std::string& path) {
  return ::access(path.c_str(), F_OK) == 0;
}

Result<std::string> key_file(const config::Config& config) {
  const std::string file = guard_key_file(config);
  return file.empty()
             ? Result<std::string>(make_error(pst::kSectionNeeded, "[tenant] with guard_key_file"))
             : file;
}

Result<std::string> kid_of(const std::string& file) {
  POSTERN_ASSIGN(const Secret key, config::load_guard_key(file));
  return config::guard_kid(key.reveal());
}

/// Keys a database holds, by id: when they were installed, microseconds since 1970.
Result<std::map<std::string, std::int64_t>> installed(schema::Connection& connection) {
  POSTERN_ASSIGN(const std::string text, connection.value(std::string(policy::kGuardKeysSql)));
  std::map<std::string, std::int64_t> out;
  std::size_t begin = 0;
  while (begin < text.size()) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string entry = text.substr(begin, end - begin);
    const std::size_t blank = std::min(entry.find(' '), entry.size() - 1);
    std::int64_t time = 0;
    std::from_chars(entry.data() + blank + 1, entry.data() + entry.size(), time);
    out[entry.substr(0, blank)] = time;
    begin = end + 1;
  }
  return out;
}

void say(const Arguments& arguments, const nlohmann::ordered_json& json, const std::string& text) {
  if (arguments.has("--json")) return print_json(json);
  print_line(printable(text));
}

// New ---------------------------------------------------------------------------------------------

Result<std::string> make_next(const config::Config& config) {
  POSTERN_ASSIGN(const std::string file, key_file(config));
  const std::string next = config::next_guard_key_file(file);
  if (!exists(next)) POSTERN_TRY(config::create_guard_key(next));
  return kid_of(next);
}

Exit run_new(const Arguments& arguments) {
  config::Config config;
  const Exit loaded = load_config(arguments, "keys guard new", config);
  if (loaded != Exit::kGood) return loaded;
  const auto kid = make_next(config);
  if (!kid) return fail(kid.error());
  const std::string file = config::next_guard_key_file(guard_key_file(config));
  say(arguments, {{"kid", *kid}, {"file", file}},
      "guard key " + *kid + " is in " + file +
          "\nPut it beside the present key of every Postern, then: postern keys guard install");
  return Exit::kGood;
}

// Install -----------------------------------------------------------------------------------------

Result<std::string> install(const Arguments& arguments, const config::Config& config) {
  POSTERN_ASSIGN(const std::string file, key_file(config));
  POSTERN_ASSIGN(const DatabaseName database,
                 database_named(config, arguments.value("--database")));
  POSTERN_ASSIGN(schema::Connection connection,
                 connect_primary(config, database, arguments.value("--dsn")));
  POSTERN_TRY(keep_keys_out_of_log(connection));
  const std::string next = config::next_guard_key_file(file);
  return install_guard_key(connection, exists(next) ? next : file);
}

Exit run_install(const Arguments& arguments) {
  if (!arguments.has("--database")) {
    return fail(make_error(pst::kUsage, "keys guard install needs --database DB"));
  }
  config::Config config;
  const Exit loaded = load_config(arguments, "keys guard install", config);
  if (loaded != Exit::kGood) return loaded;
  const auto kid = install(arguments, config);
  if (!kid) return fail(kid.error());
  say(arguments, {{"database", arguments.value("--database")}, {"kid", *kid}},
      "guard key " + *kid +
          " installed; every Postern that has its file signs with it from its "
          "next verification on");
  return Exit::kGood;
}

// Promote -----------------------------------------------------------------------------------------

Status check_databases(const config::Config& config, const std::string& kid) {
  for (const auto& [name, options] : config.databases) {
    if (name == "*") continue;
    POSTERN_ASSIGN(const DatabaseName database, database_named(config, name));
    POSTERN_ASSIGN(schema::Connection connection, connect_primary(config, database, ""));
    POSTERN_ASSIGN(const bool walled,
                   connection.truth("SELECT to_regclass('postern.context_key') IS NOT NULL"));
    if (!walled) continue;
    POSTERN_ASSIGN(const auto keys, installed(connection));
    if (!keys.contains(kid)) return make_error(pst::kKeyNotInstalled, name + " lacks " + kid);
  }
  return ok();
}

Result<std::string> promote(const Arguments& arguments, const config::Config& config) {
  POSTERN_ASSIGN(const std::string file, key_file(config));
  POSTERN_ASSIGN(std::string kid, kid_of(config::next_guard_key_file(file)));
  if (!arguments.has("--force")) POSTERN_TRY(check_databases(config, kid));
  POSTERN_TRY(config::promote_guard_key(file));
  return kid;
}

Exit run_promote(const Arguments& arguments) {
  config::Config config;
  const Exit loaded = load_config(arguments, "keys guard promote", config);
  if (loaded != Exit::kGood) return loaded;
  const auto kid = promote(arguments, config);
  if (!kid) return fail(kid.error());
  say(arguments, {{"kid", *kid}}, "guard key " + *kid + " is the present key of this Postern");
  return Exit::kGood;
}

// Retire ------------------------------------------------------------------------------------------

/// The last context of a former key ends when the last proxy has taken the new one and a context
/// has run out after that; a transaction that began before still asks for its key.
Status check_unused(schema::Connection& connection, const config::Config& config,
                    std::int64_t since_us) {
  const std::int64_t wait_us =
      (config.tenant->expiry + 2 * config.policy.verify_interval).count() * 1000;
  const std::string end = std::to_string(since_us + wait_us);
  POSTERN_ASSIGN(const std::string left,
                 connection.value("SELECT ceil((" + end +
                                  " - EXTRACT(epoch FROM clock_timestamp()) * 1000000) / 1000000)"
                                  "::int8"));
  if (!left.empty() && left.front() != '-' && left != "0") {
    return make_error(pst::kKeyStillInUse, "for " + left + " s more");
  }
  POSTERN_ASSIGN(const bool old,
                 connection.truth("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = "
                                  "current_database() AND xact_start < to_timestamp(" +
                                  end + "::numeric / 1000000))"));
  return old ? Status(make_error(pst::kKeyStillInUse, "until a transaction begun before has ended"))
             : ok();
}

Result<schema::Rows> retire(const Arguments& arguments, const config::Config& config) {
  POSTERN_ASSIGN(const std::string file, key_file(config));
  if (exists(config::next_guard_key_file(file))) {
    return make_error(pst::kKeyStillInUse, "until keys guard promote");
  }
  POSTERN_ASSIGN(const std::string kid, kid_of(file));
  POSTERN_ASSIGN(const DatabaseName database,
                 database_named(config, arguments.value("--database")));
  POSTERN_ASSIGN(schema::Connection connection,
                 connect_primary(config, database, arguments.value("--dsn")));
  POSTERN_ASSIGN(const auto keys, installed(connection));
  const auto present = keys.find(kid);
  if (present == keys.end()) return make_error(pst::kKeyNotInstalled, kid);
  if (!arguments.has("--force") && keys.size() > 1) {
    POSTERN_TRY(check_unused(connection, config, present->second));
  }
  const std::array<std::string_view, 1> parameters{kid};
  return connection.query(std::string(policy::kRetireKeysSql), parameters);
}

Exit run_retire(const Arguments& arguments) {
  if (!arguments.has("--database")) {
    return fail(make_error(pst::kUsage, "keys guard retire needs --database DB"));
  }
  config::Config config;
  const Exit loaded = load_config(arguments, "keys guard retire", config);
  if (loaded != Exit::kGood) return loaded;
  const auto gone = retire(arguments, config);
  if (!gone) return fail(gone.error());
  std::vector<std::string> kids;
  std::string text;
  for (const schema::Row& row : *gone) {
    kids.push_back(row.at(0).value_or(""));
    text += (text.empty() ? "" : ", ") + kids.back();
  }
  say(arguments, {{"database", arguments.value("--database")}, {"retired", kids}},
      text.empty() ? "there was no former guard key" : "retired: " + text);
  return Exit::kGood;
}

}  // namespace

extern const Command kKeysGuardNewCommand;
const Command kKeysGuardNewCommand{
    "keys guard new",
    "",
    0,
    "make the guard key that is to replace the present one",
    "Beside guard_key_file, as FILE.next. Then: install in every database, promote on every\n"
    "Postern, retire. Contexts of both keys are good meanwhile.",
    kFileFlags,
    run_new,
};

extern const Command kKeysGuardInstallCommand;
const Command kKeysGuardInstallCommand{
    "keys guard install",
    "",
    0,
    "put the next guard key, or the present one, into a database",
    "Run as the login that applied the wall.",
    kInstallFlags,
    run_install,
};

extern const Command kKeysGuardPromoteCommand;
const Command kKeysGuardPromoteCommand{
    "keys guard promote",
    "",
    0,
    "make the next guard key the present one of this Postern",
    "Refused while a walled database of the configuration lacks it. On each host; no restart.",
    kPromoteFlags,
    run_promote,
};

extern const Command kKeysGuardRetireCommand;
const Command kKeysGuardRetireCommand{
    "keys guard retire",
    "",
    0,
    "take every guard key but the present one out of a database",
    "Refused until contexts signed with a former key have ended: life of a context and two\n"
    "verifications after the present key came. Run as the login that applied the wall.",
    kRetireFlags,
    run_retire,
};

}  // namespace postern::app
