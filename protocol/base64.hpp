// Base64 as SCRAM uses it (RFC 4648 section 4), strict: one text for one value.
#pragma once

#include <optional>

#include "base/bytes.hpp"

namespace postern::protocol {

Bytes to_base64(ByteView bytes);

/// nullopt on foreign characters, missing or misplaced padding, or set bits behind the last byte.
std::optional<Bytes> from_base64(ByteView text);

}  // namespace postern::protocol
