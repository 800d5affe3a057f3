// The startup parameter `options`: command-line switches for one session.
// protocol.html, "StartupMessage"; src/backend/utils/init/postinit.c (pg_split_opts),
// src/backend/tcop/postgres.c (process_postgres_switches), guc.c (ParseLongOption).
#pragma once

#include <utility>
#include <vector>

#include "base/bytes.hpp"

namespace postern::protocol {

/// What `options` asks for. Owned.
struct StartupOptions {
  /// `-c name=value` and `--name=value` in order; dashes of names have become underscores. The
  /// last of a name wins.
  std::vector<std::pair<Bytes, Bytes>> settings;
  /// Something else is among them: another switch, or text the server refuses. Only the server can
  /// say what that means.
  bool other = false;
};

/// Splits at white space; a backslash takes the next character literally.
std::vector<Bytes> split_startup_options(ByteView text);

/// Reads them as a PostgreSQL backend does.
StartupOptions parse_startup_options(ByteView text);

/// Text that the server reads as exactly these settings.
Bytes format_startup_options(const std::vector<std::pair<Bytes, Bytes>>& settings);

}  // namespace postern::protocol
