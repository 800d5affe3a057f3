// For proxy/, its tests and app/; see precompiled_std.hpp. Most of proxy/ reads runtime.hpp, and
// with it half of the project: a change of those headers compiles all of proxy/ anew.
#pragma once

#include <regex>

#include "cmake/precompiled_std.hpp"
#include "proxy/runtime/runtime.hpp"
