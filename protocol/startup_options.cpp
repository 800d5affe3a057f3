#include "protocol/startup_options.hpp"

namespace postern::protocol {
namespace {

/// Switches of a backend that take an argument, besides -c and -- (postgres.c). The others take
/// none, and may be written together.
constexpr ByteView kWithArgument = "BCDdfhkNprStvW";

/// isspace() of the C locale, which the server uses.
bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

/// One argument after the other, as getopt reads them.
class Switches {
 public:
  explicit Switches(std::vector<Bytes> arguments) : arguments_(std::move(arguments)) {}

  StartupOptions read() {
    while (at_ < arguments_.size()) {
      const Bytes word = arguments_[at_++];
      // Neither a switch nor the argument of one: the server refuses it. So it does with what
      // follows a bare "--".
      if (word.size() < 2 || word[0] != '-' || word == "--") {
        found_.other = true;
      } else {
        read_word(word);
      }
    }
    return std::move(found_);
  }

 private:
  void read_word(const Bytes& word) {
    for (std::size_t i = 1; i < word.size(); ++i) {
      const char letter = word[i];
      const bool setting = letter == 'c' || letter == '-';
      if (!setting) found_.other = true;
      if (!setting && kWithArgument.find(letter) == ByteView::npos) continue;
      const Bytes argument = argument_of(word, i);
      if (setting) add(argument);
      return;
    }
  }

  /// The rest of the word, or the next one.
  Bytes argument_of(const Bytes& word, std::size_t letter) {
    if (letter + 1 < word.size()) return word.substr(letter + 1);
    if (at_ < arguments_.size()) return arguments_[at_++];
    found_.other = true;
    return {};
  }

  void add(const Bytes& text) {
    const std::size_t equals = text.find('=');
    if (equals == Bytes::npos || equals == 0) {
      found_.other = true;
      return;
    }
    Bytes name = text.substr(0, equals);
    for (char& c : name) {
      if (c == '-') c = '_';
    }
    found_.settings.emplace_back(std::move(name), text.substr(equals + 1));
  }

  std::vector<Bytes> arguments_;
  std::size_t at_ = 0;
  StartupOptions found_;
};

}  // namespace

std::vector<Bytes> split_startup_options(ByteView text) {
  std::vector<Bytes> words;
  std::size_t i = 0;
  while (true) {
    while (i < text.size() && is_space(text[i])) ++i;
    if (i == text.size()) return words;
    Bytes& word = words.emplace_back();
    for (; i < text.size() && !is_space(text[i]); ++i) {
      if (text[i] == '\\' && ++i == text.size()) return words;
      word.push_back(text[i]);
    }
  }
}

StartupOptions parse_startup_options(ByteView text) {
  return Switches(split_startup_options(text)).read();
}

Bytes format_startup_options(const std::vector<std::pair<Bytes, Bytes>>& settings) {
  Bytes out;
  for (const auto& [name, value] : settings) {
    out += out.empty() ? "-c " : " -c ";
    for (const char c : name + "=" + value) {
      if (is_space(c) || c == '\\') out.push_back('\\');
      out.push_back(c);
    }
  }
  return out;
}

}  // namespace postern::protocol
