// Configuration parameters of a PostgreSQL session.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>

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
/// number.
class ReportedParameters {
 public:
  using Map = std::map<std::string, std::string, std::less<>>;

  /// False: it had this value already.
  bool set(std::string_view name, std::string_view value) {
    const auto it = map_.find(name);
    if (it != map_.end()) {
      if (it->second == value) return false;
      digest_ -= digest_of(name, it->second);
      it->second = value;
    } else {
      map_.emplace(name, value);
    }
    digest_ += digest_of(name, value);
    return true;
  }
  /// Null where the server never reported it.
  [[nodiscard]] const std::string* find(std::string_view name) const {
    const auto it = map_.find(name);
    return it == map_.end() ? nullptr : &it->second;
  }
  [[nodiscard]] const Map& all() const { return map_; }
  /// Equal for equal contents; different ones differ but for a hash collision, which costs a client
  /// the news of a changed parameter and nothing else.
  [[nodiscard]] std::size_t digest() const { return digest_; }

 private:
  static std::size_t digest_of(std::string_view name, std::string_view value) {
    constexpr std::size_t kSpread = 0x9E3779B97F4A7C15U;
    return (std::hash<std::string_view>{}(name)*kSpread) ^ std::hash<std::string_view>{}(value);
  }
  Map map_;
  std::size_t digest_ = 0;
};

}  // namespace postern::proxy
