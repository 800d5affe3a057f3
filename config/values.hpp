// The small notations of the configuration file: durations, sizes, host:port, secrets.
// Pure functions. Errors carry only the reason; the caller adds the place.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/secret.hpp"
#include "config/load.hpp"
#include "config/options.hpp"

namespace postern::config {

/// "250ms", "5s", "2m", "1h", "7d"; a bare number is milliseconds. Digits and one unit, no sign.
std::optional<Millis> parse_duration(std::string_view text);
/// The shortest exact form: "1500ms", "5s", "0".
std::string format_duration(Millis value);

/// "512", "64KB", "16MB", "2GB" (powers of 1024, upper case).
std::optional<ByteSize> parse_size(std::string_view text);
std::string format_size(ByteSize value);

/// "host:port", "[::1]:5432"; port 1 to 65535, host without blanks.
std::optional<HostPort> parse_host_port(std::string_view text);

/// As parse_host_port, or the folder of a unix socket: "/run/postgresql", "/run/postgresql:5433",
/// "@name:5432"; the port is 5432 where none is given.
std::optional<HostPort> parse_node(std::string_view text);

/// Replaces ${NAME} by the environment's value; "$${" stands for "${". Names are
/// [A-Za-z_][A-Za-z0-9_]*. PST-1009 names a variable that is not set, never a value.
Result<Secret> substitute(std::string_view text, const Environment& environment);

/// True where a text other than a secret holds "${": variables are for secrets only.
bool mentions_variable(std::string_view text);

/// "8-4-4-4-12" hexadecimal digits.
bool is_uuid(std::string_view text);

/// "schema.table": two non-empty parts.
bool is_qualified(std::string_view text);

}  // namespace postern::config
