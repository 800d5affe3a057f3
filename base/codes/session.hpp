// Error codes 24xx: sessions and the query path.
#pragma once

#include "base/error.hpp"

namespace postern::pst {

#define PST(name, number, sqlstate, severity, message, hint) inline constexpr Pst k##name{number};
#include "base/codes/session.def"
#undef PST

}  // namespace postern::pst
