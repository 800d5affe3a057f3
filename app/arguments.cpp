#include "app/arguments.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "base/codes/config.hpp"

namespace postern::app {
namespace {

const Flag* find_flag(std::span<const Flag> flags, std::string_view word) {
  const auto it = std::find_if(flags.begin(), flags.end(), [&](const Flag& flag) {
    const bool letter = word.size() == 2 && word[0] == '-' && word[1] == flag.letter;
    return flag.name == word || (letter && flag.letter != 0);
  });
  return it == flags.end() ? nullptr : &*it;
}

Error unknown_flag(std::span<const Flag> flags, std::string_view word) {
  std::vector<std::string_view> names;
  for (const Flag& flag : flags) names.push_back(flag.name);
  const auto nearest = nearest_word(word, names.data(), names.data() + names.size());
  std::string what = "there is no " + std::string(word);
  if (!nearest.empty()) what += "; did you mean " + std::string(nearest) + "?";
  return make_error(pst::kUsage, std::move(what));
}

}  // namespace

Status Arguments::take_flag(std::span<const Flag> flags, std::span<const std::string_view> words,
                            std::size_t& next) {
  const std::string_view word = words[next++];
  const std::size_t equals = word.starts_with("--") ? word.find('=') : std::string_view::npos;
  const std::string_view name = word.substr(0, equals);
  const Flag* flag = find_flag(flags, name);
  if (flag == nullptr) return unknown_flag(flags, name);
  const std::string shown(flag->name);
  std::string value;
  if (equals != std::string_view::npos) {
    if (flag->value.empty()) return make_error(pst::kUsage, shown + " takes no value");
    value = word.substr(equals + 1);
  } else if (!flag->value.empty()) {
    if (next >= words.size()) return make_error(pst::kUsage, shown + " needs a value");
    value = words[next++];
  }
  if (!values_.try_emplace(shown, std::move(value)).second) {
    return make_error(pst::kUsage, shown + " is given twice");
  }
  return ok();
}

Result<Arguments> Arguments::parse(std::span<const Flag> flags,
                                   std::span<const std::string_view> words) {
  Arguments out;
  bool only_positionals = false;
  for (std::size_t next = 0; next < words.size();) {
    const std::string_view word = words[next];
    if (!only_positionals && word == "--") {
      only_positionals = true;
      ++next;
    } else if (!only_positionals && word.size() > 1 && word.front() == '-') {
      POSTERN_TRY(out.take_flag(flags, words, next));
    } else {
      out.positionals_.emplace_back(word);
      ++next;
    }
  }
  return out;
}

std::string Arguments::value(std::string_view flag, std::string_view otherwise) const {
  const auto it = values_.find(flag);
  return it == values_.end() ? std::string(otherwise) : it->second;
}

}  // namespace postern::app
