// Error codes 20xx: routing.
#pragma once

#include "base/error.hpp"

namespace postern::pst {

#define PST(name, number, sqlstate, severity, message, hint) inline constexpr Pst k##name{number};
#include "base/codes/routing.def"
#undef PST

}  // namespace postern::pst
