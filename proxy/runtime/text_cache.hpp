// Values by text, within a scope: bounded in bytes, least recently used out first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace postern::proxy {

/// Compares texts in full, never a hash alone. Not thread-safe.
template <typename Value>
class TextCache {
 public:
  /// Holds values as long as their texts, their own bytes as the caller counts them, and what an
  /// entry itself takes stay within `max_bytes`.
  explicit TextCache(std::size_t max_bytes) : max_bytes_(max_bytes) {}
  TextCache(const TextCache&) = delete;
  TextCache& operator=(const TextCache&) = delete;

  /// nullptr on a miss. The pointer is good until the next store or drop.
  Value* find(std::uint64_t scope, std::string_view text) {
    const auto found = index_.find(Key{scope, text});
    if (found == index_.end()) return nullptr;
    entries_.splice(entries_.begin(), entries_, found->second);
    return &found->second->value;
  }

  /// Replaces what was stored under the text. A value that never fits is not kept.
  void store(std::uint64_t scope, std::string_view text, Value value, std::size_t bytes) {
    bytes += text.size() + kEntryBytes;
    if (const auto known = index_.find(Key{scope, text}); known != index_.end()) {
      erase(known->second);
    }
    if (bytes > max_bytes_) return;
    while (bytes_ + bytes > max_bytes_) erase(std::prev(entries_.end()));
    entries_.push_front({scope, std::string(text), std::move(value), bytes});
    index_.emplace(Key{scope, entries_.front().text}, entries_.begin());
    bytes_ += bytes;
  }

  /// Forgets everything of the scopes that `gone` names. Goes through all entries.
  void drop(const std::function<bool(std::uint64_t)>& gone) {
    for (auto at = entries_.begin(); at != entries_.end();) {
      const auto current = at++;
      if (gone(current->scope)) erase(current);
    }
  }

  [[nodiscard]] std::size_t size() const { return index_.size(); }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

  /// Added to every entry for the list, the index and the allocator.
  static constexpr std::size_t kEntryBytes = 160;

 private:
  struct Entry {
    std::uint64_t scope = 0;
    std::string text;
    Value value;
    std::size_t bytes = 0;
  };
  using Entries = std::list<Entry>;
  struct Key {
    std::uint64_t scope = 0;
    std::string_view text;  ///< of the entry's own string once stored
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct Hash {
    std::size_t operator()(const Key& key) const noexcept {
      return std::hash<std::string_view>{}(key.text) ^ (key.scope * 0x9e3779b97f4a7c15ULL);
    }
  };

  void erase(typename Entries::iterator entry) {
    bytes_ -= entry->bytes;
    index_.erase(Key{entry->scope, entry->text});
    entries_.erase(entry);
  }

  std::size_t max_bytes_;
  std::size_t bytes_ = 0;
  Entries entries_;  ///< most recently used first
  std::unordered_map<Key, typename Entries::iterator, Hash> index_;
};

}  // namespace postern::proxy
