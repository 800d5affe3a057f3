// Error codes 13xx: pools and upstream servers.
#pragma once

#include "base/error.hpp"

namespace postern::pst {

#define PST(name, number, sqlstate, severity, message, hint) inline constexpr Pst k##name{number};
#include "base/codes/pool.def"
#undef PST

}  // namespace postern::pst
