// bytea in PostgreSQL's text formats.
#pragma once

#include <optional>
#include <string>

#include "base/bytes.hpp"
#include "base/ids.hpp"

namespace postern::proxy {

/// pg_type.oid of bytea and of bytea[].
inline constexpr Oid kByteaOid = 17;
inline constexpr Oid kByteaArrayOid = 1001;

/// The bytes behind a value in hex ("\x...") or escape format (PostgreSQL 15 documentation,
/// section 8.4); nullopt for anything else.
std::optional<Bytes> parse_bytea_text(ByteView text);

/// "\x" and lower-case digits.
std::string bytea_text(ByteView bytes);

}  // namespace postern::proxy
