// SCRAM's cryptography for protocol/, from crypto/.
#pragma once

#include "protocol/scram_secret.hpp"

namespace postern::proxy {

/// Static storage; any thread, after crypto::init().
const protocol::ScramPrimitives& scram_primitives();

/// The same, but keys derived from a password are kept: for logins at servers with passwords that
/// Postern holds anyway. A server asks for the same ones at every connection.
const protocol::ScramPrimitives& remembering_scram_primitives();

/// MD5 for servers that still ask for it.
bool md5_primitive(ByteView data, char* out);

}  // namespace postern::proxy
