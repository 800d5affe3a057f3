#include "proxy/auth/failure_limit.hpp"

#include <algorithm>

namespace postern::proxy {
namespace {

constexpr std::size_t kIpv6Prefix = 8;

std::string key_of(const config::NetAddress& address) {
  const std::size_t size = address.size == 4 ? 4 : kIpv6Prefix;
  return {reinterpret_cast<const char*>(address.bytes.data()), size};
}

}  // namespace

bool FailureLimit::blocks(const config::NetAddress& address, Time now) {
  if (options_.burst == 0) return false;
  const std::lock_guard lock(mutex_);
  const auto found = by_key_.find(key_of(address));
  if (found == by_key_.end()) return false;
  // The bucket holds `burst` failures: there must be room for one more.
  const Time forgiven = found->second->forgiven;
  if (forgiven - now > (options_.burst - 1) * options_.interval) return true;
  if (forgiven > now) return false;
  entries_.erase(found->second);
  by_key_.erase(found);
  return false;
}

void FailureLimit::note(const config::NetAddress& address, Time now) {
  if (options_.burst == 0) return;
  const std::lock_guard lock(mutex_);
  std::string key = key_of(address);
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) {
    if (entries_.size() >= options_.addresses) {
      by_key_.erase(entries_.back().key);
      entries_.pop_back();
    }
    entries_.push_front({key, now + options_.interval});
    by_key_.emplace(std::move(key), entries_.begin());
    return;
  }
  Entry& entry = *found->second;
  const Time latest = now + options_.burst * options_.interval;
  entry.forgiven = std::min(latest, std::max(entry.forgiven, now) + options_.interval);
  entries_.splice(entries_.begin(), entries_, found->second);
}

std::size_t FailureLimit::remembered() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

}  // namespace postern::proxy
