// uuid in PostgreSQL's text form.
#pragma once

#include <string_view>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace postern::types {

inline constexpr std::size_t kUuidBytes = 16;

/// As uuid_in: 32 hexadecimal digits of either case, a hyphen allowed after every four, braces
/// around all allowed; no white space. kInvalidTextValue.
Result<Bytes> parse_uuid(std::string_view text);

/// Lower case, 8-4-4-4-12. `uuid` of 16 bytes.
void append_uuid(ByteView uuid, Bytes& out);

}  // namespace postern::types
