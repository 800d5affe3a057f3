// Error codes 22xx: tools and offline commands.
#pragma once

#include "base/error.hpp"

namespace postern::pst {

#define PST(name, number, sqlstate, severity, message, hint) inline constexpr Pst k##name{number};
#include "base/codes/tools.def"
#undef PST

}  // namespace postern::pst
