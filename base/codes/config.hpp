// Error codes 10xx: configuration and command line.
#pragma once

#include "base/error.hpp"

namespace postern::pst {

#define PST(name, number, sqlstate, severity, message, hint) inline constexpr Pst k##name{number};
#include "base/codes/config.def"
#undef PST

}  // namespace postern::pst
