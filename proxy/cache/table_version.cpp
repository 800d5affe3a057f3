#include "proxy/cache/table_version.hpp"

#include <algorithm>

namespace postern::proxy {

void TableVersion::expire(Time now, ByteView fresh) {
  const auto dead = [now](const Mark& mark) { return mark.until <= now; };
  if (std::erase_if(marks_, dead) > 0) renew(now, fresh, std::nullopt);
}

void TableVersion::mark(std::string id, Time until) {
  marks_.push_back({std::move(id), until});
}

void TableVersion::bump(const WriteEnd& end, Time now, ByteView fresh) {
  const auto own = [&end](const Mark& mark) { return mark.id == end.id; };
  const bool stood = std::erase_if(marks_, own) > 0;
  const bool known = stood && end.position && *end.position < kPositionUnknown;
  renew(now, fresh, known ? end.position : std::nullopt);
}

void TableVersion::settle(const KnownPosition& known) {
  if (position_ == kPositionUnknown && changed_ <= known.at && known.position < kPositionUnknown) {
    position_ = known.position;
  }
}

void TableVersion::renew(Time now, ByteView fresh, std::optional<std::uint64_t> position) {
  token_ = fresh;
  changed_ = now;
  // Every write that begins from now on commits behind an unknown one that has ended. So the next
  // known position settles it, unless it comes from a write that was already under way.
  const bool unknown = !position || position_ == kPositionContested;
  if (unknown) {
    position_ = marked() ? kPositionContested : kPositionUnknown;
  } else if (position_ == kPositionUnknown) {
    position_ = *position;
  } else {
    position_ = std::max(position_, *position);
  }
}

}  // namespace postern::proxy
