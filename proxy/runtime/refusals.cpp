#include "proxy/runtime/refusals.hpp"

#include <algorithm>
#include <utility>

namespace postern::proxy {
namespace {

// Whole characters of UTF-8.
void cut(std::string& text, std::size_t bytes) {
  if (text.size() <= bytes) return;
  const auto continues = [&](std::size_t at) {
    return (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U;
  };
  while (bytes > 0 && continues(bytes)) --bytes;
  text.resize(bytes);
}

}  // namespace

void Refusals::note(RefusalGroup group, std::int64_t now_us) {
  cut(group.application, kMaxApplicationBytes);
  const std::lock_guard lock(mutex_);
  // The sum of the others has its place beside them.
  if (groups_.size() >= kMaxGroups && !groups_.contains(group)) {
    group = RefusalGroup{};
    group.application = kOthers;
  }
  Times& times = groups_[std::move(group)];
  if (times.count++ == 0) times.first_us = now_us;
  times.last_us = std::max(times.last_us, now_us);
}

std::vector<RefusalSum> Refusals::sums() const {
  std::vector<RefusalSum> out;
  {
    const std::lock_guard lock(mutex_);
    out.reserve(groups_.size());
    for (const auto& [group, times] : groups_) {
      out.push_back({group, times.count, times.first_us, times.last_us});
    }
  }
  std::stable_sort(out.begin(), out.end(),
                   [](const RefusalSum& a, const RefusalSum& b) { return a.count > b.count; });
  return out;
}

Refusals& refusals() {
  static Refusals the_refusals;
  return the_refusals;
}

}  // namespace postern::proxy
