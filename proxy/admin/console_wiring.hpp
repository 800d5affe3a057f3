// What the console can do to this process.
#pragma once

#include <memory>

#include "proxy/console/console.hpp"

namespace postern::proxy {

/// A console over the process's broker and signals. `runtime` must outlive it.
std::unique_ptr<console::Console> make_console(Runtime* runtime);

}  // namespace postern::proxy
