// Error codes 23xx: TLS and transport.
#pragma once

#include "base/error.hpp"

namespace postern::pst {

#define PST(name, number, sqlstate, severity, message, hint) inline constexpr Pst k##name{number};
#include "base/codes/net.def"
#undef PST

}  // namespace postern::pst
