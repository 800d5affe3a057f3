#include "config/load.hpp"

#include <algorithm>
#include <cstdlib>
#include <set>

#include "base/codes/config.hpp"
#include "config/assign.hpp"
#include "config/key.hpp"
#include "config/reader.hpp"
#include "config/toml_document.hpp"
#include "config/validate.hpp"

namespace postern::config {
namespace {

/// Loads files one after the other; includes come after the file that names them.
class Loader {
 public:
  Loader(LoadReport& report, const Environment& environment)
      : report_(report), reader_(report.config.origins, report.errors, environment) {}

  void load(const std::string& file) {
    read(file, keys_of(report_.config), "");
    follow_includes(1);
    load_users();
    // A mistyped key would be reported again as missing: what is missing comes second.
    if (report_.errors.empty()) reader_.check_required();
  }

 private:
  void fail(Error error, const std::string& place) {
    if (!place.empty()) error.what = place + ": " + error.what;
    if (report_.errors.size() < kMaxErrors) report_.errors.push_back(std::move(error));
  }

  /// `place` is where the file was named; empty for the main file.
  void read(const std::string& file, const KeyRows& rows, const std::string& place) {
    if (!seen_.insert(file).second) {
      return fail(make_error(pst::kConfigConflict, file + " is read twice"), place);
    }
    auto content = read_whole_file(file, kMaxFileBytes);
    if (!content) return fail(std::move(content).error(), place);
    auto root = parse_toml(*content, file);
    wipe(*content);
    if (!root) return fail(std::move(root).error(), "");
    reader_.read_file(*root, rows, file);
    wipe_texts(*root);
  }

  void follow_includes(std::size_t depth) {
    for (const Include& include : reader_.take_includes()) {
      const std::string place = include.where.text() + ": include";
      if (depth > kMaxIncludeDepth || seen_.size() >= kMaxFiles) {
        return fail(make_error(pst::kConfigConflict, "too many files, or nested too deeply"),
                    place);
      }
      read(include.path.path, keys_of(report_.config), place);
      follow_includes(depth + 1);
    }
  }

  void load_users() {
    const std::string& file = report_.config.auth.users_file.path;
    if (file.empty()) return;
    const auto origin = report_.config.origins.find("auth.users_file");
    read(file, users_keys(report_.config), origin->second.text() + ": auth.users_file");
  }

  LoadReport& report_;
  Reader reader_;
  std::set<std::string> seen_;
};

/// Absent = off: "enabled = false" makes it the same.
void drop_disabled(Config& config) {
  if (config.routing && !config.routing->enabled) config.routing.reset();
  if (config.cache && !config.cache->enabled) config.cache.reset();
}

}  // namespace

Environment process_environment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) return std::nullopt;
    return std::string(value);
  };
}

LoadReport load_report(const std::string& file, const Environment& environment) {
  LoadReport report;
  report.config.file = file;
  Loader(report, environment).load(file);
  drop_disabled(report.config);
  if (report.errors.empty()) report.errors = validate(report.config);
  return report;
}

Result<Config> load(const std::string& file) {
  LoadReport report = load_report(file, process_environment());
  if (!report.errors.empty()) return std::move(report.errors.front());
  return std::move(report.config);
}

}  // namespace postern::config
