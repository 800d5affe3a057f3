// PgBouncer's configuration as Postern's. Pure.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "app/import_ini.hpp"

namespace postern::app {

struct Translation {
  std::string config;                  ///< postern.toml
  Bytes users;                         ///< users.toml; holds secrets
  std::vector<std::string> taken;      ///< "where: key -> key"
  std::vector<std::string> left_out;   ///< "where: key: why"
  std::vector<std::string> attention;  ///< what a person has to look at
};

/// kImportFile where a line cannot be understood.
Result<Translation> translate(const std::vector<IniEntry>& entries,
                              const std::vector<ListedUser>& users);

}  // namespace postern::app
