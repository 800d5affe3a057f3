// Error codes 12xx: authentication.
#pragma once

#include "base/error.hpp"

namespace postern::pst {

#define PST(name, number, sqlstate, severity, message, hint) inline constexpr Pst k##name{number};
#include "base/codes/auth.def"
#undef PST

}  // namespace postern::pst
