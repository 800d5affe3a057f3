// A subcommand. To add one: a file app/NAME.cpp that defines `const Command kNameCommand`, and its
// row in app/commands.def.
#pragma once

#include <span>
#include <string_view>

#include "app/arguments.hpp"
#include "base/error.hpp"

namespace postern::app {

/// Exit codes that scripts may rely on.
enum class Exit : int {
  kGood = 0,
  kFindings = 1,     ///< findings, or refused
  kUsage = 2,        ///< the command line is not understood
  kEnvironment = 3,  ///< a file, a server or a permission is missing
};

struct Command {
  std::string_view name;         ///< one or more words: "check", "keys tenant add"
  std::string_view positionals;  ///< how the help writes them: "FILE..."; empty = none
  std::size_t max_positionals;   ///< more are a usage error
  std::string_view summary;      ///< one line, no trailing dot
  std::string_view details;      ///< further lines of --help; may be empty
  std::span<const Flag> flags;   ///< beside --help, which every command has
  Exit (*run)(const Arguments&);
};

/// Runs what the words (without the program's name) ask for.
Exit dispatch(std::span<const std::string_view> words);

/// Prints "postern: PST-…" to standard error and returns `code`.
Exit fail(const Error& error, Exit code);

/// The flags -c/--config and --json, as every command spells them.
inline constexpr Flag kConfigFlag{"--config", 'c', "FILE", "the configuration file"};
inline constexpr Flag kJsonFlag{"--json", 0, "", "print JSON"};

}  // namespace postern::app
