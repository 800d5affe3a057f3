// Listening sockets, opened with plain calls at start-up.
#pragma once

#include <vector>

#include "base/result.hpp"
#include "proxy/net/endpoint.hpp"
#include "proxy/net/fd.hpp"

namespace postern::proxy {

/// Non-blocking listening sockets for every address of `endpoint`, all on one port: where it is 0,
/// the one the system gives to the first. `reuse_port`: SO_REUSEPORT on TCP sockets. Resolves
/// names, so it may block. kResolveFailed, kListenFailed.
Result<std::vector<UniqueFd>> listen_on(const Endpoint& endpoint, int backlog,
                                        bool reuse_port = false);

}  // namespace postern::proxy
