#include "proxy/cache/local_store.hpp"

#include "crypto/init.hpp"

namespace postern::proxy {

TableVersion& LocalStore::version(const std::string& scope, Oid table, ByteView fresh) {
  const auto key = std::make_pair(scope, table);
  auto found = versions_.find(key);
  if (found == versions_.end()) {
    if (versions_.size() >= kMaxVersions) {
      std::erase_if(versions_, [](const auto& item) { return !item.second.marked(); });
    }
    found = versions_.emplace(key, TableVersion(fresh, now_())).first;
  }
  found->second.expire(now_(), fresh);
  return found->second;
}

CacheSnapshot LocalStore::capture(const CachePlace& place) {
  const Bytes fresh = crypto::random_bytes(kTokenBytes);
  CacheSnapshot snapshot;
  snapshot.versions.tables = place.tables;
  bool marked = false;
  const std::lock_guard lock(versions_mutex_);
  for (const Oid table : place.tables) {
    TableVersion& current = version(place.scope, table, fresh);
    if (place.known) current.settle(*place.known);
    marked |= current.marked();
    snapshot.versions.tokens += current.token();
    snapshot.versions.positions.push_back(current.position());
  }
  snapshot.state = marked ? CacheSnapshot::State::kMarked : CacheSnapshot::State::kClear;
  return snapshot;
}

CacheSnapshot LocalStore::look(const CachePlace& place) {
  CacheSnapshot snapshot = capture(place);
  if (snapshot.state != CacheSnapshot::State::kClear) return snapshot;
  std::shared_ptr<const Bytes> entry = find(place.name);
  if (entry != nullptr && entry->starts_with(snapshot.versions.tokens)) {
    snapshot.entry = std::move(entry);
  }
  return snapshot;
}

bool LocalStore::put(const CachePlace& place, ByteView tokens, Bytes entry) {
  const CacheSnapshot current = capture(place);
  if (current.state != CacheSnapshot::State::kClear) return false;
  if (current.versions.tokens != tokens) return false;
  Entry fresh{place.name, std::make_shared<const Bytes>(std::move(entry))};
  if (fresh.cost() > max_bytes_) return false;
  // A write may slip in here: its new version makes the entry unusable, as any later one would.
  insert(std::move(fresh));
  return true;
}

void LocalStore::mark(const CachePlace& place, const MarkLease& lease) {
  const Bytes fresh = crypto::random_bytes(kTokenBytes);
  const std::lock_guard lock(versions_mutex_);
  for (const Oid table : place.tables) {
    version(place.scope, table, fresh).mark(lease.id, lease.until);
  }
}

void LocalStore::bump(const CachePlace& place, const WriteEnd& end) {
  const Bytes fresh = crypto::random_bytes(kTokenBytes);
  const std::lock_guard lock(versions_mutex_);
  for (const Oid table : place.tables) version(place.scope, table, fresh).bump(end, now_(), fresh);
}

std::size_t LocalStore::held_bytes() const {
  const std::lock_guard lock(entries_mutex_);
  return held_;
}

std::shared_ptr<const Bytes> LocalStore::find(const std::string& name) {
  const std::lock_guard lock(entries_mutex_);
  const auto found = by_name_.find(name);
  if (found == by_name_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, found->second);
  return found->second->bytes;
}

void LocalStore::insert(Entry entry) {
  const std::lock_guard lock(entries_mutex_);
  const auto old = by_name_.find(entry.name);
  if (old != by_name_.end()) erase(old->second);
  while (held_ + entry.cost() > max_bytes_) erase(std::prev(entries_.end()));
  held_ += entry.cost();
  entries_.push_front(std::move(entry));
  by_name_[entries_.front().name] = entries_.begin();
}

void LocalStore::erase(Entries::iterator entry) {
  held_ -= entry->cost();
  by_name_.erase(entry->name);
  entries_.erase(entry);
}

}  // namespace postern::proxy
