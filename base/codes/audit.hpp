// Error codes 19xx: audit.
#pragma once

#include "base/error.hpp"

namespace postern::pst {

#define PST(name, number, sqlstate, severity, message, hint) inline constexpr Pst k##name{number};
#include "base/codes/audit.def"
#undef PST

}  // namespace postern::pst
