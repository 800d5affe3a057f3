// Error codes 21xx: cache.
#pragma once

#include "base/error.hpp"

namespace postern::pst {

#define PST(name, number, sqlstate, severity, message, hint) inline constexpr Pst k##name{number};
#include "base/codes/cache.def"
#undef PST

}  // namespace postern::pst
