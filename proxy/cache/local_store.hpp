// The cache within one process: entries by least use within a budget of bytes, versions and marks.
#pragma once

#include <cstddef>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "proxy/cache/setup.hpp"
#include "proxy/cache/snapshot.hpp"
#include "proxy/cache/table_version.hpp"

namespace postern::proxy {

/// Thread-safe. Entries are shared, so that no lock is held while one is copied or opened.
class LocalStore {
 public:
  /// Most tables whose version is remembered; past it those without a mark are forgotten, which
  /// makes the entries that depend on them unusable.
  static constexpr std::size_t kMaxVersions = 65'536;
  /// Bookkeeping of an entry, counted into the budget.
  static constexpr std::size_t kEntryOverhead = 256;

  LocalStore(std::size_t max_bytes, std::function<SteadyClock::time_point()> now)
      : max_bytes_(max_bytes), now_(std::move(now)) {}

  /// Versions and entry of a read; the entry only where it carries these versions.
  CacheSnapshot look(const CachePlace& place);
  /// Keeps the entry if the versions still stand and nothing is marked; returns whether it did.
  bool put(const CachePlace& place, ByteView tokens, Bytes entry);
  void mark(const CachePlace& place, const MarkLease& lease);
  void bump(const CachePlace& place, const WriteEnd& end);

  [[nodiscard]] std::size_t held_bytes() const;

 private:
  struct Entry {
    std::string name;
    std::shared_ptr<const Bytes> bytes;
    [[nodiscard]] std::size_t cost() const {
      return kEntryOverhead + 2 * name.size() + bytes->size();
    }
  };
  using Entries = std::list<Entry>;

  TableVersion& version(const std::string& scope, Oid table, ByteView fresh);
  CacheSnapshot capture(const CachePlace& place);
  std::shared_ptr<const Bytes> find(const std::string& name);
  void insert(Entry entry);
  void erase(Entries::iterator entry);

  const std::size_t max_bytes_;
  const std::function<SteadyClock::time_point()> now_;

  std::mutex versions_mutex_;
  std::map<std::pair<std::string, Oid>, TableVersion> versions_;

  mutable std::mutex entries_mutex_;
  Entries entries_;  ///< most recently used first
  std::unordered_map<std::string, Entries::iterator> by_name_;
  std::size_t held_ = 0;
};

}  // namespace postern::proxy
