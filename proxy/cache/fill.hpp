// An answer being collected for the cache while it streams to the client.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "proxy/cache/key.hpp"

namespace postern::proxy {

/// A complete answer as the server sent it: protected columns are still ciphertext.
struct CachedAnswer {
  Bytes row_description;    ///< the whole RowDescription message, or empty where none was sent
  Bytes rows;               ///< whole DataRow messages, one behind the other
  std::string command_tag;  ///< of CommandComplete, e.g. "SELECT 3", without terminator
  std::uint64_t row_count = 0;
};

/// Versions of the tables an answer depends on, read in one step before its query was sent. The
/// first is of the whole database (table 0), the others in the order of `tables`.
struct CapturedVersions {
  std::vector<Oid> tables;               ///< ascending, begins with 0
  Bytes tokens;                          ///< what must be unchanged for a hit and a store
  std::vector<std::uint64_t> positions;  ///< WAL position of each table's last bump, or a value of
                                         ///< kPositionUnknown or more
};

/// Positions from here up say that the position of the last write is not known.
inline constexpr std::uint64_t kPositionUnknown = ~std::uint64_t{0} - 1;

/// Collects one answer. Made by ResultCache::lookup, fed by the session that executes the read,
/// given back to ResultCache::store. One worker's thread at a time; touches no socket.
///
/// It stops buffering, and gives back what it held, once the answer is larger than the limit; the
/// calls stay harmless from then on.
class CacheFill {
 public:
  struct Limits {
    std::size_t max_bytes = 0;  ///< of RowDescription and rows together
    std::chrono::milliseconds ttl{0};
  };

  CacheFill(CacheKey key, std::string scope, CapturedVersions versions, Limits limits)
      : key_(std::move(key)),
        scope_(std::move(scope)),
        versions_(std::move(versions)),
        limits_(limits) {}

  /// The position a replica must have replayed, read before the query on the same connection, for
  /// its answer to be stored; nullopt: only an answer of the primary can be.
  [[nodiscard]] std::optional<std::uint64_t> required_position() const;
  /// The answer comes from a replica that had replayed `position` before the query was sent; below
  /// required_position the fill is abandoned. Not called for the primary.
  void from_replica(std::uint64_t position);

  /// Whole messages, type byte and length included, in the server's form. A second description or
  /// a row behind the completion abandons the fill.
  void add_description(ByteView message);
  void add_row(ByteView message);
  /// CommandComplete came. Call abandon() instead where anything else came with the answer: an
  /// error, a notice, ParameterStatus, PortalSuspended, a second result.
  void complete(std::string_view tag);
  void abandon();

  /// Still worth feeding.
  [[nodiscard]] bool collecting() const { return state_ == State::kCollecting; }
  [[nodiscard]] bool is_complete() const { return state_ == State::kComplete; }

  [[nodiscard]] const CacheKey& key() const { return key_; }
  [[nodiscard]] const std::string& scope() const { return scope_; }
  [[nodiscard]] const CapturedVersions& versions() const { return versions_; }
  [[nodiscard]] std::chrono::milliseconds ttl() const { return limits_.ttl; }
  [[nodiscard]] const CachedAnswer& answer() const { return answer_; }

 private:
  enum class State : std::uint8_t { kCollecting, kComplete, kAbandoned };
  [[nodiscard]] bool take(Bytes& into, ByteView message);

  CacheKey key_;
  std::string scope_;
  CapturedVersions versions_;
  Limits limits_;
  CachedAnswer answer_;
  State state_ = State::kCollecting;
};

}  // namespace postern::proxy
