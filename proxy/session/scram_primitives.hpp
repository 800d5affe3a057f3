// SCRAM's cryptography for protocol/, from crypto/.
#pragma once

#include "protocol/scram_secret.hpp"

namespace postern::proxy {

/// Static storage; any thread, after crypto::init().
const protocol::ScramPrimitives& scram_primitives();

/// MD5 for servers that still ask for it.
bool md5_primitive(ByteView data, char* out);

}  // namespace postern::proxy
