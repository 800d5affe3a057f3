// Rules across keys, checked after every file has been read.
#pragma once

#include <vector>

#include "base/error.hpp"
#include "config/options.hpp"

namespace postern::config {

/// Every rule that the configuration breaks, each with the file and line of the key to change.
/// Pure: no file is opened, no name resolved.
std::vector<Error> validate(const Config& config);

/// True for 127.0.0.0/8, ::1 and "localhost".
bool is_loopback(std::string_view address);

}  // namespace postern::config
