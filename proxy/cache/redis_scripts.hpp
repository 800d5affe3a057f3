// The steps that have to be atomic in Redis, as Lua.
//
// Keys: KEYS[1] is the hash of writers (field `e`: the shared epoch; `w:<instance>`: the moment its
// registration expires). A table's version is one hash with `t` (token), `p` (position, 16 hex
// digits), `c` (moment of its last change) and a field `m<id>` for each mark (the moment it
// expires): marks and version are kept or lost together, so a lost mark never leaves its old
// version behind. Moments are milliseconds of Redis' own clock. A registration is asked for both as
// a duration and as a moment, and the sooner counts: a command executed late prolongs nothing.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace postern::proxy {

enum class RedisScript : std::uint8_t {
  kTime,   ///< -> now
  kJoin,   ///< KEYS writers; ARGV me, token, until, force, lease -> now
  kRenew,  ///< KEYS writers; ARGV me, until, lease -> now, or 0 if not registered
  kLeave,  ///< KEYS writers; ARGV me -> 1
  /// KEYS writers, entry, versions...; ARGV me, token, known position or "", its moment
  /// -> {state, entry, tokens, positions}
  kLookup,
  kStore,  ///< KEYS writers, entry, versions...; ARGV me, token, expected, value, ttl -> 1 or 0
  kMark,   ///< KEYS writers, versions...; ARGV me, token, id, lease -> 1, 0 if not registered
  kBump,   ///< KEYS writers, versions...; ARGV me, token, id, position or "" -> 1, 0 likewise
};
inline constexpr std::size_t kRedisScripts = 8;

/// States of a kLookup reply.
inline constexpr std::int64_t kRedisClear = 0;
inline constexpr std::int64_t kRedisMarked = 1;
inline constexpr std::int64_t kRedisWriterGone = 2;    ///< a registration has expired
inline constexpr std::int64_t kRedisUnregistered = 3;  ///< this instance's own is missing

std::string redis_script_text(RedisScript script);

}  // namespace postern::proxy
