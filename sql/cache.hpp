// Facts of texts seen before: most statements of an application come again byte for byte.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "sql/analyzer.hpp"
#include "sql/facts.hpp"

namespace postern::sql {

/// What besides the bytes decides the meaning of a text, in the form cache keys use. Compute once
/// per session and catalog, not per statement.
struct AnalysisKey {
  std::uint64_t catalog_epoch = 0;
  std::string path;  ///< the search path, unambiguous

  static AnalysisKey of(const AnalysisContext& context);
  friend bool operator==(const AnalysisKey&, const AnalysisKey&) = default;
};

/// Least recently used out. Compares text, epoch and path in full: never a hash alone. One per
/// worker; not thread-safe. Different databases must not share one cache.
class AnalysisCache {
 public:
  static constexpr std::size_t kDefaultTextBytes = 32 * 1024 * 1024;

  /// At most `entries` texts and `text_bytes` bytes of text.
  explicit AnalysisCache(std::size_t entries, std::size_t text_bytes = kDefaultTextBytes)
      : max_entries_(entries), max_bytes_(text_bytes) {}

  /// nullptr on a miss.
  std::shared_ptr<const Facts> find(std::string_view text, const AnalysisKey& key);
  void store(std::string_view text, const AnalysisKey& key, std::shared_ptr<const Facts> facts);
  void clear();

  [[nodiscard]] std::size_t size() const { return index_.size(); }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  [[nodiscard]] std::uint64_t hits() const { return hits_; }
  [[nodiscard]] std::uint64_t misses() const { return misses_; }

 private:
  struct Entry {
    std::string text;
    AnalysisKey key;
    std::shared_ptr<const Facts> facts;
  };
  struct Lookup {
    std::string_view text;  ///< of the entry's own string once stored
    const AnalysisKey* key = nullptr;
    friend bool operator==(const Lookup& a, const Lookup& b) {
      return a.text == b.text && *a.key == *b.key;
    }
  };
  struct Hash {
    std::size_t operator()(const Lookup& lookup) const noexcept;
  };

  void drop_oldest();

  std::size_t max_entries_;
  std::size_t max_bytes_;
  std::size_t bytes_ = 0;
  std::uint64_t hits_ = 0;
  std::uint64_t misses_ = 0;
  std::list<Entry> entries_;  ///< most recently used first
  std::unordered_map<Lookup, std::list<Entry>::iterator, Hash> index_;
};

}  // namespace postern::sql
