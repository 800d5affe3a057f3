// Error codes 14xx: statement analysis.
#pragma once

#include "base/error.hpp"

namespace postern::pst {

#define PST(name, number, sqlstate, severity, message, hint) inline constexpr Pst k##name{number};
#include "base/codes/sql.def"
#undef PST

}  // namespace postern::pst
