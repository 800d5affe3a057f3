// Throw-away folders with configuration files for the tests of config/.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "config/load.hpp"

namespace postern::config::testing {

/// A temporary folder, removed with everything in it.
class Folder {
 public:
  Folder() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "postern-config-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code ec;
    std::filesystem::remove_all(path_, ec);
  }
  std::string write(const std::string& name, const std::string& content) const {
    const std::string file = path_ + "/" + name;
    std::ofstream(file, std::ios::binary) << content;
    return file;
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

using Variables = std::map<std::string, std::string>;

inline Environment environment(Variables variables) {
  return [variables = std::move(variables)](const std::string& name) -> std::optional<std::string> {
    const auto it = variables.find(name);
    if (it == variables.end()) return std::nullopt;
    return it->second;
  };
}

/// The smallest whole configuration under "trust", so that tests need no users file. Tests append
/// to it: it has kBaseLines lines.
inline constexpr std::string_view kBase =
    "[cluster.main]\n"
    "nodes = [\"127.0.0.1:5432\"]\n"
    "[database.\"*\"]\n"
    "cluster = \"main\"\n"
    "[auth]\n"
    "method = \"trust\"\n";
inline constexpr std::uint32_t kBaseLines = 6;

/// Loads `text` from a file postern.toml in `folder`.
inline LoadReport load_text(const Folder& folder, std::string_view text, Variables variables = {}) {
  const std::string file = folder.write("postern.toml", std::string(text));
  return load_report(file, environment(std::move(variables)));
}

/// Loads kBase + `text`.
inline LoadReport load_more(std::string_view text, Variables variables = {}) {
  const Folder folder;
  return load_text(folder, std::string(kBase) + std::string(text), std::move(variables));
}

/// True where exactly one mistake was found: this code, at this line of postern.toml (counted from
/// the first line after kBase), and its text contains `part`.
inline bool only_error(const LoadReport& report, Pst code, std::uint32_t line,
                       std::string_view part) {
  if (report.errors.size() != 1) return false;
  const Error& error = report.errors.front();
  const std::string place = "/postern.toml:" + std::to_string(kBaseLines + line) + ": ";
  return error.code == code && error.what.find(place) != std::string::npos &&
         error.what.find(part) != std::string::npos;
}

/// All messages, for CAPTURE.
inline std::string messages(const LoadReport& report) {
  std::string out;
  for (const Error& error : report.errors) out += error.line() + "\n";
  return out;
}

}  // namespace postern::config::testing
