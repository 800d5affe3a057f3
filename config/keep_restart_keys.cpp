// The part of a reload that leaves alone what only a restart can change.
#include <type_traits>

#include "base/check.hpp"
#include "config/difference.hpp"

namespace postern::config {
namespace {

void keep(const KeyRows& next, const KeyRows& present, Reload forced);

// `present` has the section: so has `next` from now on, value by value.
void keep_section(const TableKey& next, const TableKey& present, const KeyRow& row, Reload forced) {
  if (present.present() == next.present()) {
    if (present.present()) keep(next.enter(), present.enter(), forced);
    return;
  }
  if (row.reload == Reload::kYes && forced == Reload::kYes) return;
  if (!present.present()) return next.leave();
  keep(next.enter(), present.enter(), Reload::kNo);
}

template <typename T>
void copy_value(T* next, const T* present) {
  if constexpr (std::is_same_v<T, Secret>) {
    *next = present->clone();
  } else {
    *next = *present;
  }
}

template <typename Key>
void keep_value(const Key& next, const Key& present) {
  copy_value(next.value, present.value);
}
void keep_value(const NumberKey& next, const NumberKey& present) {
  std::visit([&](auto* field) { *field = *std::get<std::decay_t<decltype(field)>>(present.value); },
             next.value);
}
void keep_value(const ListKey& next, const ListKey& present) {
  POSTERN_CHECK(next.size() == 0);  // only in a section just made present
  for (std::size_t i = 0; i < present.size(); ++i) {
    keep(next.append(), present.at(i), Reload::kNo);
  }
}
void keep_value(const NamedKey&, const NamedKey&) {}
void keep_value(const TableKey&, const TableKey&) {}
void keep_value(const IncludeKey&, const IncludeKey&) {}

void keep_names(const NamedKey& next, const NamedKey& present) {
  for (const std::string& name : next.names()) {
    bool known = false;
    for (const std::string& other : present.names()) known = known || other == name;
    if (known) keep(next.enter(name), present.enter(name), Reload::kYes);
  }
}

void keep_row(const KeyRow& next, const KeyRow& present, Reload forced) {
  if (const auto* table = std::get_if<TableKey>(&next.slot)) {
    return keep_section(*table, std::get<TableKey>(present.slot), next, forced);
  }
  if (const auto* named = std::get_if<NamedKey>(&next.slot)) {
    return keep_names(*named, std::get<NamedKey>(present.slot));
  }
  if (next.reload == Reload::kYes && forced == Reload::kYes) return;
  std::visit(
      [&](const auto& key) {
        keep_value(key, std::get<std::decay_t<decltype(key)>>(present.slot));
      },
      next.slot);
}

// Rows of one struct type stand in the same order.
void keep(const KeyRows& next, const KeyRows& present, Reload forced) {
  POSTERN_CHECK(next.size() == present.size());
  for (std::size_t i = 0; i < next.size(); ++i) keep_row(next[i], present[i], forced);
}

}  // namespace

void keep_restart_keys(Config& next, const Config& present) {
  // Rows point at fields so that files can be read into them; of `present` they are only read.
  auto& fields = const_cast<Config&>(present);
  keep(keys_of(next), keys_of(fields), Reload::kYes);
}

}  // namespace postern::config
