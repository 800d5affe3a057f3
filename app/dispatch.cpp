#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "app/command.hpp"
#include "app/printable.hpp"
#include "base/bytes.hpp"
#include "base/codes/config.hpp"

namespace postern::app {

#define COMMAND(name) extern const Command k##name##Command;
#include "app/commands.def"
#undef COMMAND

namespace {

const Command* const kCommands[] = {
#define COMMAND(name) &k##name##Command,
#include "app/commands.def"
#undef COMMAND
};

constexpr Flag kHelpFlag{"--help", 'h', "", "print this help"};

void print(std::FILE* out, const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), out);
}

std::vector<std::string_view> split(std::string_view name) {
  std::vector<std::string_view> words;
  while (!name.empty()) {
    const std::size_t blank = std::min(name.find(' '), name.size());
    words.push_back(name.substr(0, blank));
    name.remove_prefix(std::min(blank + 1, name.size()));
  }
  return words;
}

/// The command whose words are the longest prefix of `words`.
const Command* find_command(std::span<const std::string_view> words) {
  const Command* found = nullptr;
  std::size_t length = 0;
  for (const Command* command : kCommands) {
    const auto name = split(command->name);
    if (name.size() > words.size() || name.size() <= length) continue;
    if (!std::equal(name.begin(), name.end(), words.begin())) continue;
    found = command;
    length = name.size();
  }
  return found;
}

void append_column(std::string& out, std::string text, std::string_view doc) {
  constexpr std::size_t kWidth = 26;
  text.resize(std::max(kWidth, text.size() + 1), ' ');
  out.append("  ").append(text).append(doc).append("\n");
}

/// The list of commands; with a group ("keys") only its own.
std::string overview(std::string_view group) {
  std::string out =
      "Postern, a transparent proxy for PostgreSQL.\n\n"
      "usage: postern COMMAND [flags] [arguments]\n"
      "       postern --version\n"
      "       postern COMMAND --help\n\n";
  for (const Command* command : kCommands) {
    if (!group.empty() && split(command->name).front() != group) continue;
    append_column(out, std::string(command->name), command->summary);
  }
  out += "\nexit codes: 0 good, 1 findings or refused, 2 usage, 3 environment\n";
  return out;
}

std::string help(const Command& command) {
  std::string out = "usage: postern " + std::string(command.name) + " [flags]";
  if (!command.positionals.empty()) out.append(" ").append(command.positionals);
  out.append("\n\n").append(command.summary).append("\n");
  if (!command.details.empty()) out.append("\n").append(command.details).append("\n");
  out += "\nflags:\n";
  const auto append_flag = [&](const Flag& flag) {
    std::string text = flag.letter != 0 ? std::string{'-', flag.letter, ',', ' '} : "    ";
    text.append(flag.name);
    if (!flag.value.empty()) text.append(" ").append(flag.value);
    append_column(out, std::move(text), flag.doc);
  };
  for (const Flag& flag : command.flags) append_flag(flag);
  append_flag(kHelpFlag);
  return out;
}

bool is_group(std::string_view word) {
  return std::any_of(std::begin(kCommands), std::end(kCommands), [&](const Command* command) {
    const auto name = split(command->name);
    return name.size() > 1 && name.front() == word;
  });
}

Exit no_command(std::span<const std::string_view> words) {
  const std::string_view first = words.front();
  if (is_group(first)) {
    const bool asks = words.size() == 1 || words[1] == "--help" || words[1] == "-h";
    print(asks ? stdout : stderr, overview(first));
    return asks && words.size() > 1 ? Exit::kGood : Exit::kUsage;
  }
  std::vector<std::string_view> names;
  for (const Command* command : kCommands) names.push_back(split(command->name).front());
  const auto nearest = nearest_word(first, names.data(), names.data() + names.size());
  std::string what = "there is no command \"" + std::string(first) + "\"";
  if (!nearest.empty()) what += "; did you mean \"" + std::string(nearest) + "\"?";
  return fail(make_error(pst::kUsage, std::move(what)), Exit::kUsage);
}

Exit run(const Command& command, std::span<const std::string_view> words) {
  std::vector<Flag> flags(command.flags.begin(), command.flags.end());
  flags.push_back(kHelpFlag);
  const auto wants_help = [](std::string_view word) { return word == "--help" || word == "-h"; };
  if (std::any_of(words.begin(), words.end(), wants_help)) {
    print(stdout, help(command));
    return Exit::kGood;
  }
  const auto arguments = Arguments::parse(flags, words);
  if (!arguments) return fail(arguments.error(), Exit::kUsage);
  if (arguments->positionals().size() > command.max_positionals) {
    const std::string& extra = arguments->positionals()[command.max_positionals];
    return fail(make_error(pst::kUsage, "\"" + extra + "\" is one argument too many"),
                Exit::kUsage);
  }
  return command.run(*arguments);
}

}  // namespace

Exit fail(const Error& error, Exit code) {
  // What a server or a file said may hold anything.
  print(stderr, "postern: " + printable(error.line()) + "\n");
  return code;
}

Exit dispatch(std::span<const std::string_view> words) {
  if (words.empty()) {
    print(stderr, overview(""));
    return Exit::kUsage;
  }
  if (words[0] == "--help" || words[0] == "-h" || words[0] == "help") {
    print(stdout, overview(""));
    return Exit::kGood;
  }
  if (words[0] == "--version") {
    print(stdout, "postern " POSTERN_VERSION "\n");
    return Exit::kGood;
  }
  const Command* command = find_command(words);
  if (command == nullptr) return no_command(words);
  return run(*command, words.subspan(split(command->name).size()));
}

}  // namespace postern::app
