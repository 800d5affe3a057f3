// Configuration parameters of a PostgreSQL session.
#pragma once

#include <algorithm>
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

}  // namespace postern::proxy
