// Error codes 18xx: values and types.
#pragma once

#include "base/error.hpp"

namespace postern::pst {

#define PST(name, number, sqlstate, severity, message, hint) inline constexpr Pst k##name{number};
#include "base/codes/types.def"
#undef PST

}  // namespace postern::pst
