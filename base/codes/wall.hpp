// Error codes 16xx: wall and tenant context.
#pragma once

#include "base/error.hpp"

namespace postern::pst {

#define PST(name, number, sqlstate, severity, message, hint) inline constexpr Pst k##name{number};
#include "base/codes/wall.def"
#undef PST

}  // namespace postern::pst
