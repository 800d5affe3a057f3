// The version of one table and the marks of writes under way: the rules that both stores follow
// (the Redis store as Lua, redis_scripts.cpp).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "proxy/cache/fill.hpp"
#include "proxy/cache/snapshot.hpp"
#include "proxy/net/asio.hpp"

namespace postern::proxy {

/// Bytes of a version's token. A token is random, so a version that was lost (restart, eviction)
/// and made anew never equals an older one.
inline constexpr std::size_t kTokenBytes = 16;

/// The last write's position is unknown while other writes were under way: their positions, though
/// reported later, may lie before it.
inline constexpr std::uint64_t kPositionContested = kPositionUnknown + 1;

/// Pure; not thread-safe. `fresh` is a random token for the case that one is needed.
class TableVersion {
 public:
  using Time = SteadyClock::time_point;

  TableVersion(ByteView fresh, Time now) : token_(fresh), changed_(now) {}

  /// Marks past their lease end as writes of unknown outcome.
  void expire(Time now, ByteView fresh);
  void mark(std::string id, Time until);
  /// A write ended. A position counts only where the mark still stands: without it, writes that
  /// ended meanwhile could not know of this one.
  void bump(const WriteEnd& end, Time now, ByteView fresh);
  /// A position of the primary read after the last change covers every write that ended until then.
  void settle(const KnownPosition& known);

  [[nodiscard]] bool marked() const { return !marks_.empty(); }
  [[nodiscard]] const Bytes& token() const { return token_; }
  [[nodiscard]] std::uint64_t position() const { return position_; }

 private:
  struct Mark {
    std::string id;
    Time until;
  };
  void renew(Time now, ByteView fresh, std::optional<std::uint64_t> position);

  Bytes token_;
  std::uint64_t position_ = kPositionUnknown;
  Time changed_;
  std::vector<Mark> marks_;
};

}  // namespace postern::proxy
