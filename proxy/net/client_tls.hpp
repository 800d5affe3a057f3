// TLS as Postern offers it to clients: mode and context change together.
#pragma once

#include "proxy/net/tls_context.hpp"

namespace postern::proxy {

/// Immutable; a login keeps the one it began with.
struct ClientTls {
  bool required = false;  ///< clients without TLS are refused
  TlsContext context;
};

}  // namespace postern::proxy
