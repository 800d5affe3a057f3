#include "proxy/alerts/dedupe.hpp"

namespace postern::proxy {

std::optional<std::uint64_t> AlertDedupe::admit_entry(Entry& entry, Time now) const {
  if (now - entry.told < repeat_after_) {
    ++entry.held;
    return std::nullopt;
  }
  const std::uint64_t held = entry.held;
  entry = {now, 0};
  return held;
}

std::optional<std::uint64_t> AlertDedupe::admit(const std::string& rule,
                                                const std::string& fingerprint, Time now) {
  const std::string key = rule + '\n' + fingerprint;
  const auto known = entries_.find(key);
  if (known != entries_.end()) return admit_entry(known->second, now);
  if (entries_.size() >= kMaxKeys) {
    std::erase_if(entries_, [&](const auto& e) { return now - e.second.told >= repeat_after_; });
  }
  if (entries_.size() >= kMaxKeys) {
    if (others_) return admit_entry(*others_, now);
    others_ = Entry{now, 0};
    return 0;
  }
  entries_.emplace(key, Entry{now, 0});
  return 0;
}

}  // namespace postern::proxy
