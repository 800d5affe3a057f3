// postern import: PgBouncer's configuration as Postern's.
#include <algorithm>
#include <filesystem>
#include <string>
#include <unistd.h>
#include <vector>

#include "app/command.hpp"
#include "app/import_ini.hpp"
#include "app/import_translate.hpp"
#include "app/inputs.hpp"
#include "app/printable.hpp"
#include "base/codes/config.hpp"
#include "base/codes/tools.hpp"
#include "config/load.hpp"
#include "crypto/file_io.hpp"

namespace postern::app {
namespace {

constexpr Flag kFlags[] = {
    {"--users", 'u', "FILE", "userlist.txt; without it, auth_file of the ini"},
    {"--out", 'o', "DIR", "where postern.toml and users.toml go; default: here"},
    {"--force", 0, "", "overwrite them"},
};

struct Input {
  std::vector<IniEntry> entries;
  std::vector<ListedUser> users;
};

// auth_file as the ini names it, beside the ini where it is relative.
std::string auth_file(const std::vector<IniEntry>& entries, const std::string& ini) {
  std::filesystem::path file;
  for (const IniEntry& entry : entries) {
    if (entry.section == "pgbouncer" && entry.key == "auth_file") file = entry.value;
  }
  if (file.empty() || file.is_absolute()) return file.string();
  return (std::filesystem::path(ini).parent_path() / file).string();
}

Result<Input> read_input(const Arguments& arguments) {
  Input input;
  const std::string& ini = arguments.positionals().front();
  POSTERN_ASSIGN(input.entries, read_ini(ini));
  const std::string users = arguments.value("--users", auth_file(input.entries, ini));
  if (!users.empty()) {
    POSTERN_ASSIGN(input.users, read_userlist(users));
  }
  return input;
}

Status write_files(const std::string& folder, const Translation& translation) {
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  const std::pair<std::string, const Bytes*> files[] = {
      {folder + "/users.toml", &translation.users},
      {folder + "/postern.toml", &translation.config}};
  for (const auto& [path, content] : files) {
    if (!crypto::replace_file(path, *content)) return make_error(pst::kOutputNotWritten, path);
  }
  return ok();
}

Status check_absent(const std::string& folder) {
  for (const char* name : {"/postern.toml", "/users.toml"}) {
    if (::access((folder + name).c_str(), F_OK) == 0) {
      return make_error(pst::kOutputExists, folder + name);
    }
  }
  return ok();
}

// Writes, and reads again what serve would read.
Result<config::LoadReport> write_and_check(const Input& input, const std::string& folder,
                                           Translation& translation) {
  POSTERN_ASSIGN(translation, translate(input.entries, input.users));
  POSTERN_TRY(write_files(folder, translation));
  return config::load_report(folder + "/postern.toml", config::process_environment());
}

void print_list(const std::string& title, const std::vector<std::string>& lines) {
  if (lines.empty()) return;
  print_line(title);
  for (const std::string& line : lines) print_line("  " + printable(line));
}

Exit run(const Arguments& arguments) {
  if (arguments.positionals().empty()) {
    return fail(make_error(pst::kUsage, "import needs the pgbouncer.ini"), Exit::kUsage);
  }
  const std::string folder = arguments.value("--out", ".");
  if (!arguments.has("--force")) {
    if (const Status absent = check_absent(folder); !absent) return fail(absent.error());
  }
  const auto input = read_input(arguments);
  if (!input) return fail(input.error());
  Translation translation;
  const auto report = write_and_check(*input, folder, translation);
  if (!report) return fail(report.error());
  print_list("taken over:", translation.taken);
  print_list("left out, without equivalent:", translation.left_out);
  print_list("look at:", translation.attention);
  print_line("written: " + printable(folder + "/postern.toml, " + folder + "/users.toml"));
  for (const Error& error : report->errors) fail(error, Exit::kFindings);
  return report->errors.empty() ? Exit::kGood : Exit::kFindings;
}

}  // namespace

extern const Command kImportCommand;
const Command kImportCommand{
    "import",
    "PGBOUNCER.INI",
    1,
    "write the equivalent of a PgBouncer configuration",
    "Says what becomes of every key. Passwords and SCRAM verifiers are taken over, md5 hashes\n"
    "cannot be. The result is checked as `postern check` does; exit code 1: it needs a hand.",
    kFlags,
    run,
};

}  // namespace postern::app
