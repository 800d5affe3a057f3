// Password preparation for SCRAM (RFC 4013), with PostgreSQL's treatment of what it cannot prepare.
#pragma once

#include "base/bytes.hpp"
#include "base/secret.hpp"

namespace postern::crypto {

/// SASLprep of `password`. As PostgreSQL does (src/common/saslprep.c): pure ASCII is returned as it
/// is; bytes that are not UTF-8, contain prohibited or unassigned characters, or prepare to nothing
/// are returned raw, so that such passwords still work. Never fails. Any thread.
Secret saslprep(ByteView password);

}  // namespace postern::crypto
