// Every key of PgBouncer 1.25 and what becomes of it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace postern::app {

/// Where a key may stand: [pgbouncer], a line of [databases], of [users], of [peers].
enum class Place : std::uint8_t { kMain, kDatabase, kUser, kPeer };

enum class Fate : std::uint8_t {
  kTranslated,  ///< `to` names the key of Postern
  kAlways,      ///< Postern does this, or needs nothing said; `to` tells what
  kNone,        ///< no equivalent; `to` tells why
};

struct ForeignKey {
  Place place;
  std::string_view name;
  Fate fate;
  std::string_view to;
};

std::span<const ForeignKey> foreign_keys();
/// Null: PgBouncer has no such key.
const ForeignKey* find_foreign(Place place, std::string_view name);

}  // namespace postern::app
