// The key that signs tenant contexts, as it lies in a file: used by serve and by `policy apply`.
#pragma once

#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"

namespace postern::config {

/// Reads 64 hexadecimal digits (one trailing newline allowed) from a regular file that only its
/// owner may read. kGuardKeyUnreadable names the file and what is wrong with it.
Result<Secret> load_guard_key(const std::string& path);

/// Creates the file with a new random key, mode 0600; kGuardKeyUnreadable where it exists already
/// or cannot be written.
Status create_guard_key(const std::string& path);

/// Beside the key's file: the key that takes its place while it is exchanged.
std::string next_guard_key_file(const std::string& path);

/// Puts the next key in the place of the present one, in one step. kGuardKeyUnreadable.
Status promote_guard_key(const std::string& path);

/// Names a key in contexts and in the database's key table: 16 hexadecimal digits of its SHA-256.
std::string guard_kid(ByteView key);

}  // namespace postern::config
