// The console's language: text to one command of the table.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace postern::proxy::console {

enum class Verb : std::uint8_t {
#define COMMAND(name, words, argument, needs, doc) k##name,
#include "proxy/console/commands.def"
#undef COMMAND
};

/// What stands behind the words of a command.
enum class Argument : std::uint8_t {
  kNothing,
  kMaybeDatabase,  ///< a name, or none: every database
  kDatabase,
  kNumber,       ///< a client's id
  kShutdown,     ///< WAIT_FOR_CLIENTS, WAIT_FOR_SERVERS, or nothing
  kSetting,      ///< [SESSION | LOCAL] name = value, name TO value, and SET's other forms
  kSettingName,  ///< one name
  kIgnored,      ///< anything
};

/// The role a command needs.
enum class Needs : std::uint8_t { kNone, kStats, kAdmin };

/// A row of the authorisation table.
struct CommandRow {
  Verb verb;
  std::string_view words;
  Argument argument;
  Needs needs;
  std::string_view doc;
};

/// All rows, in the order of SHOW HELP.
std::span<const CommandRow> command_rows();
const CommandRow& row_of(Verb verb);

/// What a login may do on the console, by the lists of [admin].
enum class Role : std::uint8_t { kNone, kStats, kAdmin };

/// The role of an authenticated login: the higher list counts.
Role role_of(std::string_view login, std::span<const std::string> admins,
             std::span<const std::string> viewers);

/// The one check: who has no role may not even do what needs none.
bool permits(Role role, Needs needs);

struct Command {
  Verb verb = Verb::kShowHelp;
  std::string argument;  ///< unquoted; empty where none was given
};

/// Longest text looked at.
inline constexpr std::size_t kMaxTextBytes = 8 * 1024;

/// The statements of a Query's text, cut at semicolons outside quotes and comments; empty ones are
/// left out. Views into `text`.
std::vector<std::string_view> split_statements(std::string_view text);

/// Reads one statement; letter case and a final semicolon do not count. kConsoleSyntax with the
/// nearest command as hint; kConsoleNotServed for SET of a setting that is the file's business.
Result<Command> parse_command(std::string_view text);

/// The value of a setting that drivers ask for; empty view: not one of them.
std::string_view setting_value(std::string_view name);

}  // namespace postern::proxy::console
