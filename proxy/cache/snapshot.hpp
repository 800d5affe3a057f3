// What stores give and take.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "proxy/cache/fill.hpp"
#include "proxy/net/asio.hpp"

namespace postern::proxy {

/// State of a read's tables at one moment.
struct CacheSnapshot {
  enum class State : std::uint8_t {
    kClear,    ///< nothing under way: a hit or a fill is possible
    kMarked,   ///< a table is being written
    kBlocked,  ///< the store cannot be used, or some writer may be unable to mark
  };
  State state = State::kBlocked;
  CapturedVersions versions;           ///< kClear
  std::shared_ptr<const Bytes> entry;  ///< kClear: the entry with these versions, or null
};

/// A WAL position of the primary that was read later than `at`.
struct KnownPosition {
  std::uint64_t position = 0;
  SteadyClock::time_point at;
};

/// Where a read or a write stands in a store.
struct CachePlace {
  std::string scope;                   ///< keyed hash of the database
  std::vector<Oid> tables;             ///< reads: ascending, begins with 0
  std::string name;                    ///< reads: of the entry
  std::optional<KnownPosition> known;  ///< reads
};

/// An entry ready for a store.
struct SealedValue {
  Bytes entry;
  std::chrono::milliseconds ttl{0};
};

/// The mark of one write.
struct MarkLease {
  std::string id;
  SteadyClock::time_point until;
};

/// The end of one write.
struct WriteEnd {
  std::string id;
  std::optional<std::uint64_t> position;
  std::optional<SteadyClock::time_point> held_until;  ///< the mark stood until then, if it did
};

}  // namespace postern::proxy
