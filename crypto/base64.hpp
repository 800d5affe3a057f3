// Base64, standard alphabet with padding (RFC 4648 section 4).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"

namespace postern::crypto {

std::string base64_encode(ByteView bytes);

/// Strict: padding required, no white space, no stray bits; nullopt otherwise. So each byte string
/// has exactly one accepted spelling.
std::optional<Bytes> base64_decode(std::string_view text);

}  // namespace postern::crypto
