// Configuration parameters of a PostgreSQL session.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace postern::proxy {

/// Parameter names are compared without regard to ASCII case, as PostgreSQL does.
struct SettingNameLess {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const {
    return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(),
                                        [](char x, char y) { return fold(x) < fold(y); });
  }
  static char fold(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }
};

/// Parameters set for the length of a session, with their values as text.
using Settings = std::map<std::string, std::string, SettingNameLess>;

/// The parameters a server reports by itself (ParameterStatus), comparable at the price of a
/// number. Every session has some dozen of them and hardly ever looks: kept in one piece of memory.
class ReportedParameters {
 public:
  /// Views into this object, valid until the next set().
  using List = std::vector<std::pair<std::string_view, std::string_view>>;

  /// False: it had this value already. Neither contains a zero byte.
  bool set(std::string_view name, std::string_view value) {
    for (const auto& [known, present] : all()) {
      if (known != name) continue;
      if (present == value) return false;
      digest_ -= digest_of(name, present);
      const auto begin = static_cast<std::size_t>(known.data() - text_.data());
      text_.erase(begin, known.size() + present.size() + 2);
      break;
    }
    text_.append(name).push_back('\0');
    text_.append(value).push_back('\0');
    digest_ += digest_of(name, value);
    return true;
  }
  /// nullopt where the server never reported it. Valid as those of all().
  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const {
    for (const auto& [known, value] : all()) {
      if (known == name) return value;
    }
    return std::nullopt;
  }
  [[nodiscard]] List all() const {
    List list;
    for (std::string_view rest = text_; !rest.empty();) {
      const std::string_view name = take(rest);
      list.emplace_back(name, take(rest));
    }
    return list;
  }
  /// Equal for equal contents; different ones differ but for a hash collision, which costs a client
  /// the news of a changed parameter and nothing else.
  [[nodiscard]] std::size_t digest() const { return digest_; }

 private:
  static std::string_view take(std::string_view& rest) {
    const auto* const end = std::find(rest.begin(), rest.end(), '\0');
    const std::string_view taken(rest.begin(), end);
    rest.remove_prefix(std::min(taken.size() + 1, rest.size()));
    return taken;
  }
  static std::size_t digest_of(std::string_view name, std::string_view value) {
    constexpr std::size_t kSpread = 0x9E3779B97F4A7C15U;
    return (std::hash<std::string_view>{}(name)*kSpread) ^ std::hash<std::string_view>{}(value);
  }
  std::string text_;  // name, zero, value, zero, …
  std::size_t digest_ = 0;
};

}  // namespace postern::proxy
