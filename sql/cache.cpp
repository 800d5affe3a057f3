#include "sql/cache.hpp"

#include <utility>

namespace postern::sql {

AnalysisKey AnalysisKey::of(const AnalysisContext& context) {
  AnalysisKey key;
  key.catalog_epoch = context.catalog ? context.catalog->epoch() : 0;
  for (const std::string& schema : context.search_path) key.path.append(schema).push_back('\0');
  return key;
}

std::size_t AnalysisCache::Hash::operator()(const Lookup& lookup) const noexcept {
  const std::size_t text = std::hash<std::string_view>{}(lookup.text);
  return text ^ (lookup.key->catalog_epoch * 0x9e3779b97f4a7c15ULL) ^ lookup.key->path.size();
}

std::shared_ptr<const Facts> AnalysisCache::find(std::string_view text, const AnalysisKey& key) {
  const auto found = index_.find(Lookup{text, &key});
  if (found == index_.end()) {
    ++misses_;
    return nullptr;
  }
  ++hits_;
  entries_.splice(entries_.begin(), entries_, found->second);
  return found->second->facts;
}

void AnalysisCache::store(std::string_view text, const AnalysisKey& key,
                          std::shared_ptr<const Facts> facts) {
  if (max_entries_ == 0 || text.size() > max_bytes_) return;
  if (const auto known = index_.find(Lookup{text, &key}); known != index_.end()) {
    known->second->facts = std::move(facts);
    return;
  }
  while (!entries_.empty() &&
         (entries_.size() >= max_entries_ || bytes_ + text.size() > max_bytes_)) {
    drop_oldest();
  }
  entries_.push_front({std::string(text), key, std::move(facts)});
  index_.emplace(Lookup{entries_.front().text, &entries_.front().key}, entries_.begin());
  bytes_ += text.size();
}

void AnalysisCache::drop_oldest() {
  Entry& oldest = entries_.back();
  bytes_ -= oldest.text.size();
  index_.erase(Lookup{oldest.text, &oldest.key});
  entries_.pop_back();
}

void AnalysisCache::clear() {
  index_.clear();
  entries_.clear();
  bytes_ = 0;
}

}  // namespace postern::sql
