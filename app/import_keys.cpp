#include "app/import_keys.hpp"

#include <algorithm>
#include <iterator>

namespace postern::app {
namespace {

constexpr ForeignKey kKeys[] = {
#define KEY(place, name, fate, to) {Place::place, name, Fate::fate, to},
#include "app/import_keys.def"
#undef KEY
};

}  // namespace

std::span<const ForeignKey> foreign_keys() {
  return kKeys;
}

const ForeignKey* find_foreign(Place place, std::string_view name) {
  const auto* found = std::find_if(std::begin(kKeys), std::end(kKeys), [&](const ForeignKey& key) {
    return key.place == place && key.name == name;
  });
  return found == std::end(kKeys) ? nullptr : found;
}

}  // namespace postern::app
