// TOML files -> Config, with every mistake named by file, line and nearest known key.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/result.hpp"
#include "config/options.hpp"

namespace postern::config {

/// Value of an environment variable, nullopt if unset.
using Environment = std::function<std::optional<std::string>(const std::string&)>;

/// The process's own environment.
Environment process_environment();

inline constexpr std::size_t kMaxFileBytes = 4u << 20;  ///< of one configuration file
inline constexpr std::size_t kMaxFiles = 64;            ///< main file and includes together
inline constexpr std::size_t kMaxIncludeDepth = 8;
inline constexpr std::size_t kMaxSecretFileBytes = 64u << 10;
inline constexpr std::size_t kMaxErrors = 50;  ///< further mistakes are not collected

/// A configuration with everything that is wrong in it. Use `config` only if `errors` is empty.
struct LoadReport {
  Config config;
  std::vector<Error> errors;  ///< PST-10xx, `what` starting "file:line: "
};

/// Reads the file, its includes and the users file, substitutes ${NAME} from the environment in
/// secret values, and checks every key and everything across keys. Relative paths are relative to
/// the file that names them. Blocking file reads: for start-up, reload and tools.
LoadReport load_report(const std::string& file, const Environment& environment);

/// The same for callers that want a configuration or the first mistake.
Result<Config> load(const std::string& file);

/// One line for each protective section that is absent or weak, for the log at start (WARNING)
/// and for `postern check`. Empty when everything is on.
std::vector<std::string> startup_warnings(const Config& config);

}  // namespace postern::config
