// What the configuration says of a login, with the name it was asked for.
#pragma once

#include <string>

#include "config/options.hpp"

namespace postern::proxy {

/// Stands for the options wherever it does not matter whose they are.
struct LoginOptions {
  std::string login;
  const config::UserOptions* options;  ///< lives as long as the process
  operator const config::UserOptions&() const { return *options; }
};

}  // namespace postern::proxy
