// Error codes 17xx: encryption and keys.
#pragma once

#include "base/error.hpp"

namespace postern::pst {

#define PST(name, number, sqlstate, severity, message, hint) inline constexpr Pst k##name{number};
#include "base/codes/crypto.def"
#undef PST

}  // namespace postern::pst
