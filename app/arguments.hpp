// A small command line parser: flags, values, positionals, and the nearest flag for a typo.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace postern::app {

/// One flag of a command. `value` empty: the flag takes none.
struct Flag {
  std::string_view name;   ///< "--config"
  char letter = 0;         ///< 'c' for -c, 0 = none
  std::string_view value;  ///< what its value is called in the help: "FILE"
  std::string_view doc;    ///< one line
};

/// The parsed command line of one command.
class Arguments {
 public:
  /// Accepts "--name value", "--name=value", "-n value", "--" before positionals. A flag given
  /// twice, an unknown flag, a missing or superfluous value: PST-1005.
  static Result<Arguments> parse(std::span<const Flag> flags,
                                 std::span<const std::string_view> words);

  [[nodiscard]] bool has(std::string_view flag) const { return values_.contains(flag); }
  /// The flag's value, `otherwise` if it was not given.
  [[nodiscard]] std::string value(std::string_view flag, std::string_view otherwise = {}) const;
  [[nodiscard]] const std::vector<std::string>& positionals() const { return positionals_; }

 private:
  Status take_flag(std::span<const Flag> flags, std::span<const std::string_view> words,
                   std::size_t& next);

  std::map<std::string, std::string, std::less<>> values_;
  std::vector<std::string> positionals_;
};

}  // namespace postern::app
