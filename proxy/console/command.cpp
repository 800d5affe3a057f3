#include "proxy/console/command.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/bytes.hpp"
#include "base/check.hpp"
#include "base/codes/session.hpp"
#include "proxy/console/lexer.hpp"

namespace postern::proxy::console {
namespace {

constexpr CommandRow kRows[] = {
#define COMMAND(name, words, argument, needs, doc) \
  {Verb::k##name, words, Argument::argument, Needs::needs, doc},
#include "proxy/console/commands.def"
#undef COMMAND
};

/// Settings that drivers set or ask for at connect, with what is in force. Upper case, sorted by
/// use; nothing here changes what the console does.
constexpr std::pair<std::string_view, std::string_view> kSettings[] = {
    {"APPLICATION_NAME", ""},
    {"BYTEA_OUTPUT", "hex"},
    {"CLIENT_ENCODING", "UTF8"},
    {"CLIENT_MIN_MESSAGES", "notice"},
    {"DATESTYLE", "ISO, MDY"},
    {"DEFAULT_TRANSACTION_ISOLATION", "read committed"},
    {"DEFAULT_TRANSACTION_READ_ONLY", "off"},
    {"EXTRA_FLOAT_DIGITS", "1"},
    {"IDLE_IN_TRANSACTION_SESSION_TIMEOUT", "0"},
    {"INTEGER_DATETIMES", "on"},
    {"INTERVALSTYLE", "postgres"},
    {"JIT", "off"},
    {"LOCK_TIMEOUT", "0"},
    {"MAX_IDENTIFIER_LENGTH", "63"},
    {"SEARCH_PATH", "\"$user\", public"},
    {"SERVER_ENCODING", "UTF8"},
    {"SERVER_VERSION", "15.0 (Postern " POSTERN_VERSION ")"},
    {"SERVER_VERSION_NUM", "150000"},
    {"STANDARD_CONFORMING_STRINGS", "on"},
    {"STATEMENT_TIMEOUT", "0"},
    {"TIMEZONE", "UTC"},
    {"TRANSACTION_ISOLATION", "read committed"},
    {"TRANSACTION_READ_ONLY", "off"},
};

bool starts_with(const std::vector<Token>& tokens, const std::vector<Token>& words) {
  if (tokens.size() < words.size()) return false;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (tokens[i].quoted || upper(tokens[i].text) != words[i].text) return false;
  }
  return true;
}

const CommandRow* longest_match(const std::vector<Token>& tokens, std::size_t& length) {
  const CommandRow* found = nullptr;
  length = 0;
  for (const CommandRow& row : kRows) {
    const std::vector<Token> words = tokens_of(row.words);
    if (words.size() <= length || !starts_with(tokens, words)) continue;
    found = &row;
    length = words.size();
  }
  return found;
}

// The beginning of the statement as a person would name it, never more than two words of it.
std::string words_of(const std::vector<Token>& tokens) {
  std::string out;
  for (std::size_t i = 0; i < tokens.size() && i < 2 && !tokens[i].quoted; ++i) {
    if (i > 0) out.push_back(' ');
    out += upper(tokens[i].text);
  }
  return out;
}

Error unknown_command(const std::vector<Token>& tokens) {
  Error error = make_error(pst::kConsoleSyntax);
  const std::string said = words_of(tokens);
  std::array<std::string_view, std::size(kRows)> known;
  for (std::size_t i = 0; i < known.size(); ++i) known[i] = kRows[i].words;
  std::string_view nearest = nearest_word(said, known.data(), known.data() + known.size());
  if (nearest.empty() && !tokens.empty()) {
    const std::string first = upper(tokens.front().text);
    nearest = nearest_word(first, known.data(), known.data() + known.size());
  }
  if (!nearest.empty()) {
    error.hint = "Did you mean " + std::string(nearest) + "? SHOW HELP lists the commands.";
  }
  return error;
}

std::string words_left(const std::vector<Token>& rest) {
  return rest.empty() ? "something is missing behind it" : "too much stands behind it";
}

Result<std::string> read_name(const std::vector<Token>& rest, bool optional) {
  if (rest.empty() && optional) return std::string();
  if (rest.size() != 1 || rest[0].text.empty()) {
    return make_error(pst::kConsoleSyntax, words_left(rest));
  }
  return rest[0].text;
}

Result<std::string> read_number(const std::vector<Token>& rest) {
  constexpr std::size_t kMaxDigits = 19;
  const bool digits = rest.size() == 1 && !rest[0].text.empty() &&
                      rest[0].text.size() <= kMaxDigits &&
                      rest[0].text.find_first_not_of("0123456789") == std::string::npos;
  if (!digits) return make_error(pst::kConsoleSyntax, "a client's id is a number");
  return rest[0].text;
}

Result<std::string> read_shutdown(const std::vector<Token>& rest) {
  if (rest.empty()) return std::string();
  const std::string mode = upper(rest[0].text);
  const bool known = mode == "WAIT_FOR_CLIENTS" || mode == "WAIT_FOR_SERVERS";
  if (rest.size() != 1 || !known) {
    return make_error(pst::kConsoleSyntax, "SHUTDOWN [WAIT_FOR_CLIENTS | WAIT_FOR_SERVERS]");
  }
  return mode;
}

bool known_setting(std::string_view name) {
  const std::string wanted = upper(name);
  return std::any_of(std::begin(kSettings), std::end(kSettings),
                     [&](const auto& row) { return row.first == wanted; });
}

// SET [SESSION | LOCAL] name …; SET TRANSACTION …, SET SESSION CHARACTERISTICS …, SET NAMES …,
// SET TIME ZONE … are PostgreSQL's own forms of settings that are harmless too.
Result<std::string> read_setting(const std::vector<Token>& rest) {
  std::size_t at = 0;
  const auto word = [&](std::size_t i) {
    return i < rest.size() ? upper(rest[i].text) : std::string();
  };
  if (word(at) == "SESSION" || word(at) == "LOCAL") ++at;
  const std::string name = word(at);
  if (name.empty()) return make_error(pst::kConsoleSyntax, "SET what?");
  for (const std::string_view form : {"TRANSACTION", "CHARACTERISTICS", "NAMES", "TIME"}) {
    if (name == form) return rest[at].text;
  }
  if (known_setting(name)) return rest[at].text;
  Error error = make_error(pst::kConsoleNotServed, "SET changes no configuration");
  error.hint = "Write the key into the configuration file, then RELOAD.";
  return error;
}

Result<std::string> read_setting_name(const std::vector<Token>& all, std::size_t length) {
  const bool one = all.size() == length + 1;
  if (!one || !known_setting(all[length].text)) return unknown_command(all);
  return all[length].text;
}

Result<std::string> read_argument(const CommandRow& row, const std::vector<Token>& all,
                                  std::size_t length) {
  const std::vector<Token> rest(all.begin() + static_cast<std::ptrdiff_t>(length), all.end());
  switch (row.argument) {
    case Argument::kNothing:
      if (!rest.empty()) return make_error(pst::kConsoleSyntax, words_left(rest));
      return std::string();
    case Argument::kMaybeDatabase:
      return read_name(rest, true);
    case Argument::kDatabase:
      return read_name(rest, false);
    case Argument::kNumber:
      return read_number(rest);
    case Argument::kShutdown:
      return read_shutdown(rest);
    case Argument::kSetting:
      return read_setting(rest);
    case Argument::kSettingName:
      return read_setting_name(all, length);
    case Argument::kIgnored:
      return std::string();
  }
  return std::string();
}

}  // namespace

std::span<const CommandRow> command_rows() {
  return kRows;
}

const CommandRow& row_of(Verb verb) {
  return kRows[static_cast<std::size_t>(verb)];
}

Role role_of(std::string_view login, std::span<const std::string> admins,
             std::span<const std::string> viewers) {
  if (std::find(admins.begin(), admins.end(), login) != admins.end()) return Role::kAdmin;
  if (std::find(viewers.begin(), viewers.end(), login) != viewers.end()) return Role::kStats;
  return Role::kNone;
}

bool permits(Role role, Needs needs) {
  switch (role) {
    case Role::kNone:
      return false;
    case Role::kStats:
      return needs != Needs::kAdmin;
    case Role::kAdmin:
      return true;
  }
  return false;
}

std::vector<std::string_view> split_statements(std::string_view text) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    const std::size_t end = statement_end(text);
    const std::string_view statement = text.substr(0, end);
    if (!tokens_of(statement).empty()) out.push_back(statement);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

Result<Command> parse_command(std::string_view text) {
  if (text.size() > kMaxTextBytes) return make_error(pst::kConsoleSyntax, "it is too long");
  const std::vector<std::string_view> statements = split_statements(text);
  if (statements.size() != 1) return make_error(pst::kConsoleSyntax, "one command is expected");
  const std::vector<Token> tokens = tokens_of(statements.front());
  std::size_t length = 0;
  const CommandRow* row = longest_match(tokens, length);
  if (row == nullptr) return unknown_command(tokens);
  POSTERN_ASSIGN(std::string argument, read_argument(*row, tokens, length));
  return Command{row->verb, std::move(argument)};
}

std::string_view setting_value(std::string_view name) {
  const std::string wanted = upper(name);
  for (const auto& [known, value] : kSettings) {
    if (known == wanted) return value;
  }
  return {};
}

}  // namespace postern::proxy::console
