#include "proxy/cache/table_version.hpp"

#include <algorithm>

namespace postern::proxy {

void TableVersion::expire(Time now, ByteView fresh) {
  const auto dead = [now](const Mark& mark) { return mark.until <= now; };
  if (std::erase_if(marks_, dead) > 0) renew(fresh, std::nullopt);
}

void TableVersion::mark(std::string id, Time until) {
  marks_.push_back({std::move(id), until});
}

void TableVersion::bump(const std::string& id, ByteView fresh,
                        std::optional<std::uint64_t> position) {
  const auto own = [&id](const Mark& mark) { return mark.id == id; };
  const bool stood = std::erase_if(marks_, own) > 0;
  const bool known = stood && position && *position < kPositionUnknown;
  renew(fresh, known ? position : std::nullopt);
}

void TableVersion::renew(ByteView fresh, std::optional<std::uint64_t> position) {
  token_ = fresh;
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
