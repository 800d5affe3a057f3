// Error codes 15xx: policy and gate.
#pragma once

#include "base/error.hpp"

namespace postern::pst {

#define PST(name, number, sqlstate, severity, message, hint) inline constexpr Pst k##name{number};
#include "base/codes/gate.def"
#undef PST

}  // namespace postern::pst
